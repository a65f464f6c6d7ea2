//! Traps and interrupts. Interrupts are off but for the moment in which the processor halts, and their handlers do no more
//! than acknowledge: the precompiled core library uses the red zone below the stack. All handlers have stacks of their own.

use super::port;
use crate::report;
use core::arch::{asm, global_asm};
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicBool, Ordering};
use guest_contract::Exit;

const PIC_1: u16 = 0x20;
const PIC_2: u16 = 0xA0;
/// Lines 0 to 15 are vectors from here on.
const FIRST_IRQ_VECTOR: u8 = 32;
const CASCADE_IRQ: u8 = 2;
const TIMER_IRQ: u8 = 0;
const VECTORS: usize = 48;

const LOCAL_APIC: usize = 0xFEE0_0000;
const SPURIOUS: usize = 0xF0;
const LINT_0: usize = 0x350;
/// Enabled; spurious interrupts get the last vector.
const SOFTWARE_ENABLED: u32 = 0x1FF;
/// As the PIC says.
const EXTERNAL: u32 = 0x700;

#[repr(C)]
#[derive(Clone, Copy)]
struct Gate([u64; 2]);

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

unsafe extern "C" {
    static handlers: [u64; VECTORS];
    static mut idt: [Gate; VECTORS];
    static gdt: [u64; 5];
    static mut tss: [u8; 104];
    static exception_stack_top: u8;
    static interrupt_stack_top: u8;
}

/// Sets the tables and both interrupt controllers; every line but the timer's is off.
pub(super) fn start() {
    load_tables();
    for (pic, cascade) in [(PIC_1, 1 << CASCADE_IRQ), (PIC_2, CASCADE_IRQ)] {
        let vector = FIRST_IRQ_VECTOR + if pic == PIC_1 { 0 } else { 8 };
        port::write(pic, 0x11); // edges, cascaded, a fourth word follows
        for word in [vector, cascade, 0x01] {
            port::write(pic + 1, word);
        }
        port::write(pic + 1, 0xFF);
    }
    enable(CASCADE_IRQ);
    enable(TIMER_IRQ);
    for (register, value) in [(SPURIOUS, SOFTWARE_ENABLED), (LINT_0, EXTERNAL)] {
        // SAFETY: the local APIC's registers are there on every x86-64, and mapped.
        unsafe { with_exposed_provenance_mut::<u32>(LOCAL_APIC + register).write_volatile(value) }
    }
}

fn load_tables() {
    let pointer = |base: u64, bytes: usize| TablePointer { limit: (bytes - 1) as u16, base };
    // SAFETY: called once, with interrupts off, before anybody else looks at these tables; the assembly below has given
    // them these sizes. The new segments are those of the boot code.
    unsafe {
        let stacks = [(&raw const exception_stack_top).addr(), (&raw const interrupt_stack_top).addr()];
        let segment = (&raw mut tss).cast::<u8>();
        for (at, stack) in [36, 44].into_iter().zip(stacks) {
            segment.add(at).cast::<u64>().write_unaligned(stack as u64);
        }
        segment.add(102).cast::<u16>().write_unaligned(104); // no I/O bitmap
        let table = (&raw mut idt).cast::<Gate>();
        for (vector, handler) in handlers.into_iter().enumerate() {
            let stack = if vector < usize::from(FIRST_IRQ_VECTOR) { 1 } else { 2 };
            table.add(vector).write(gate(handler, stack));
        }
        let descriptor = tss_descriptor(segment.addr() as u64);
        let segments = (&raw const gdt).cast::<u64>().cast_mut();
        segments.add(3).write(descriptor[0]);
        segments.add(4).write(descriptor[1]);
        asm!("lgdt [{}]", in(reg) &pointer(segments.addr() as u64, 40), options(readonly, nostack, preserves_flags));
        asm!("ltr {:x}", in(reg) 0x18_u16, options(nostack, preserves_flags));
        asm!("lidt [{}]", in(reg) &pointer(table.addr() as u64, VECTORS * 16), options(readonly, nostack, preserves_flags));
    }
}

/// An interrupt gate to the code segment, on stack `stack` of the task state (AMD64 manual 2, 4.8.4).
const fn gate(handler: u64, stack: u64) -> Gate {
    let low = (handler & 0xFFFF) | 0x08 << 16 | stack << 32 | 0x8E << 40 | (handler >> 16 & 0xFFFF) << 48;
    Gate([low, handler >> 32])
}

/// A task state of 104 bytes (AMD64 manual 2, 4.8.3).
const fn tss_descriptor(base: u64) -> [u64; 2] {
    [0x67 | (base & 0xFF_FFFF) << 16 | 0x89 << 40 | (base >> 24 & 0xFF) << 56, base >> 32]
}

/// Lets an interrupt line through.
pub(super) fn enable(irq: u8) {
    let (mask, bit) = if irq < 8 { (PIC_1 + 1, irq) } else { (PIC_2 + 1, irq - 8) };
    port::write(mask, port::read(mask) & !(1 << bit));
}

/// Stands still until an interrupt. One that came before ends it at once: `sti` takes effect after the next instruction.
pub(super) fn halt() {
    // SAFETY: the handlers change nothing but their own stack; `cli` restores what all other code relies on. Without
    // `nostack` the compiler keeps no data below the stack pointer here.
    unsafe { asm!("sti", "hlt", "cli") }
}

/// A processor exception: told on the serial line, and the end.
extern "C" fn exception(vector: u64, error: u64, address: u64, fault: u64) -> ! {
    static IS_SECOND: AtomicBool = AtomicBool::new(false);
    if !IS_SECOND.swap(true, Ordering::Relaxed) {
        report::excepted(vector, error, address, fault);
    }
    <super::Microvm as crate::arch::Arch>::exit(Exit::Exception)
}

global_asm!(
    r#"
    .section .bss
    .align 16
    .globl idt, tss, exception_stack_top, interrupt_stack_top
idt:    .skip 48 * 16
tss:    .skip 104
    .align 16
    .skip 16384
exception_stack_top:
    .skip 4096
interrupt_stack_top:

    .data
    .align 8
    .globl gdt, handlers
gdt:
    .quad 0
    .quad 0x00AF9A000000FFFF        // 0x08: 64-bit code
    .quad 0x00CF92000000FFFF        // 0x10: data
    .quad 0, 0                      // 0x18: task state
handlers:
    .irp vector, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .quad exception_\vector
    .endr
    .rept 8
    .quad irq_low
    .endr
    .rept 8
    .quad irq_high
    .endr

    .text
    .irp vector, 0,1,2,3,4,5,6,7,9,15,16,18,19,20,22,23,24,25,26,27,28,31
exception_\vector:
    push 0                          // no error code comes with these
    push \vector
    jmp exception_common
    .endr
    .irp vector, 8,10,11,12,13,14,17,21,29,30
exception_\vector:
    push \vector
    jmp exception_common
    .endr

exception_common:
    mov rdi, [rsp]
    mov rsi, [rsp + 8]
    mov rdx, [rsp + 16]
    mov rcx, cr2
    and rsp, -16
    cld
    call {exception}
    ud2

irq_high:
    push rax
    mov al, 0x20                    // end of interrupt
    out 0xA0, al
    out 0x20, al
    pop rax
    iretq
irq_low:
    push rax
    mov al, 0x20
    out 0x20, al
    pop rax
    iretq
"#,
    exception = sym exception
);

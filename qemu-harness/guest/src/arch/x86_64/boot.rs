//! From PVH's 32-bit entry to 64-bit Rust: identity map of 4 GiB in pages of 2 MiB, all but the one below the stack;
//! SSE on. No Rust runs before that, as compiled code uses SSE.

use core::arch::global_asm;

unsafe extern "C" {
    /// The linker's: where the image ends.
    static image_end: u8;
}

/// The first address after the image and its stacks.
pub(super) fn end() -> usize {
    (&raw const image_end).addr()
}

global_asm!(
    r#"
    .section .note.pvh, "a", @note
    .align 4
    .long 4, 8, 18                  // name length, value length, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_start

    .section .stack, "aw", @nobits
    .align 4096
    .skip 512 * 1024
stack_top:

    .section .bss
    .align 4096
page_map:           .skip 4096
page_pointers:      .skip 4096
page_directories:   .skip 4 * 4096

    .section .rodata
    .align 8
early_gdt:
    .quad 0
    .quad 0x00AF9A000000FFFF        // 0x08: 64-bit code
    .quad 0x00CF92000000FFFF        // 0x10: data
early_gdt_end:
early_gdt_pointer:
    .word early_gdt_end - early_gdt - 1
    .long early_gdt

    .section .boot, "ax"
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    mov eax, offset page_pointers
    or eax, 3                       // present, writable
    mov dword ptr [page_map], eax

    mov eax, offset page_directories
    or eax, 3
    xor ecx, ecx
1:  mov dword ptr [page_pointers + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jne 1b

    mov eax, 0x83                   // present, writable, 2 MiB
    xor ecx, ecx
2:  mov dword ptr [page_directories + ecx * 8], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, 2048
    jne 2b
    mov dword ptr [page_directories + 8], 0     // below the stack

    lgdt [early_gdt_pointer]
    mov eax, cr4
    or eax, 0x620                   // PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, offset page_map
    mov cr3, eax
    mov ecx, 0xC0000080             // EFER
    rdmsr
    or eax, 0x100                   // LME
    wrmsr
    mov eax, cr0
    and eax, 0xFFFFFFFB             // not EM
    or eax, 0x80000022              // PG, NE, MP
    mov cr0, eax
    mov eax, offset long_mode
    mov esp, offset stack_top
    push 0x08
    push eax
    retf

    .code64
long_mode:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    mov rsp, offset stack_top
    xor ebp, ebp
    call {start}
    ud2
"#,
    start = sym crate::start
);

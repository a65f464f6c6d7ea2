//! The memory functions that compilers call. In assembly, as compiled ones would be compiled to calls of themselves.

use core::arch::global_asm;

global_asm!(
    r#"
    .text
    .globl memcpy, memmove, memset, memcmp, bcmp

memcpy:
    mov rax, rdi
    mov rcx, rdx
    shr rcx, 3
    rep movsq
    mov ecx, edx
    and ecx, 7
    rep movsb
    ret

memmove:
    mov rax, rdi
    sub rax, rsi
    cmp rax, rdx
    jae memcpy
    mov rax, rdi
    mov rcx, rdx
    lea rsi, [rsi + rdx - 1]
    lea rdi, [rdi + rdx - 1]
    std
    rep movsb
    cld
    ret

memset:
    mov r8, rdi
    movzx eax, sil
    mov r9, 0x0101010101010101
    imul rax, r9
    mov rcx, rdx
    shr rcx, 3
    rep stosq
    mov ecx, edx
    and ecx, 7
    rep stosb
    mov rax, r8
    ret

memcmp:
bcmp:
    xor ecx, ecx
1:  cmp rcx, rdx
    je 2f
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc rcx
    sub eax, r8d
    je 1b
    ret
2:  xor eax, eax
    ret
"#
);

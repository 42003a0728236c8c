/*
 * loops.S - five small hot loops for comparing engines on identical bytes.
 * Each starts at a 64-byte boundary and ends with ret; see work_loop.c for the
 * registers.
 */
        .text
        .globl  loop_crcst, loop_alu, loop_chase, loop_store, loop_fpdot
        .align  64
loop_crcst:                                     /* 10 instructions, 2 loads, 1 store */
1:      movzbl  (%rdi), %edx
        xorl    %eax, %edx
        movzbl  %dl, %edx
        shrl    $8, %eax
        xorl    (%rsi,%rdx,4), %eax
        movl    %eax, (%r8)
        addq    $1, %rdi
        addq    $4, %r8
        cmpq    %rcx, %rdi
        jne     1b
        ret
        .align  64
loop_alu:                                       /* 11 instructions, no memory */
1:      movq    %rax, %rdx
        shlq    $13, %rdx
        xorq    %rdx, %rax
        movq    %rax, %rdx
        shrq    $7, %rdx
        xorq    %rdx, %rax
        movq    %rax, %rdx
        shlq    $17, %rdx
        xorq    %rdx, %rax
        subq    $1, %rcx
        jne     1b
        ret
        .align  64
loop_chase:                                     /* 3 instructions, dependent load */
1:      movq    (%rax), %rax
        subq    $1, %rcx
        jne     1b
        ret
        .align  64
loop_store:                                     /* 4 instructions, 1 store */
1:      movb    $0, (%rdi)
        addq    %rsi, %rdi
        cmpq    %rcx, %rdi
        jb      1b
        ret
        .align  64
loop_fpdot:                                     /* 8 instructions, 2 packed loads */
1:      movupd  (%rdi), %xmm0
        movupd  (%rsi), %xmm1
        mulpd   %xmm1, %xmm0
        addpd   %xmm0, %xmm2
        addq    $16, %rdi
        addq    $16, %rsi
        cmpq    %rcx, %rdi
        jne     1b
        movupd  %xmm2, (%r8)
        ret
        .section .note.GNU-stack, "", @progbits

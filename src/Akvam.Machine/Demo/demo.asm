; The guest of "akvam demo": real, protected, long and compatibility mode, an SMI in each of them,
; and a second processor whose RSM fails on purpose.
;
; nasm -f bin -o demo.bin demo.asm      (demo.bin is committed; a test compares the two)
;
; The host loads this at 8000h, starts processor 0 at 0000:8000, raises an SMI for a write to port B2h,
; and adds a line to its table for a write to port 510h. Nothing here depends on timing.

        org     0x8000

EVENT   equ     0x510
APM     equ     0xB2
SMBASE  equ     0x40000                 ; where the first handler moves it
PML4    equ     0x20000
PDPT    equ     0x21000
PD      equ     0x22000

; Offsets from SMBASE in the 64-bit save state [APM2 10.2.3]
SAVED_SMBASE equ 0xFF00
SAVED_CR0    equ 0xFF58
SAVED_RIP    equ 0xFF78
SAVED_R15    equ 0xFF80
SAVED_RBX    equ 0xFFE0
SAVED_RCX    equ 0xFFF0
SAVED_RAX    equ 0xFFF8

CODE32  equ     0x08
DATA    equ     0x10
CODE64  equ     0x18

        %macro  event 1
        mov     dx, EVENT
        mov     al, %1
        out     dx, al
        %endmacro

        bits    16
start:  cli
        cld
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x7C00
        event   0x01

        ; The handlers go to where the processor looks for them: SMBASE + 8000h.
        mov     si, relocator
        mov     ax, 0x3000
        call    place
        mov     si, handler
        mov     ax, SMBASE >> 4
        call    place
        out     APM, al                 ; SMI at the reset SMBASE, 30000h
        event   0x02

        lgdt    [gdtr]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     CODE32:protected

; Copies 256 bytes from DS:SI to AX:8000h.
place:  mov     es, ax
        mov     di, 0x8000
        mov     cx, 128
        rep     movsw
        ret

        bits    32
protected:
        mov     ax, DATA
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, 0x7C00
        event   0x03
        mov     eax, 0x11112222
        mov     ecx, 1                  ; "change my EAX"
        out     APM, al
        mov     ebx, eax
        event   0x04

        ; The first GiB one to one, in 2 MiB pages.
        mov     edi, PML4
        xor     eax, eax
        mov     ecx, 3 * 1024
        rep     stosd
        mov     dword [PML4], PDPT + 3
        mov     dword [PDPT], PD + 3
        mov     edi, PD
        mov     eax, 0x83
        mov     ecx, 512
.page:  mov     [edi], eax
        add     edi, 8
        add     eax, 0x200000
        loop    .page
        mov     eax, 0x20               ; PAE
        mov     cr4, eax
        mov     eax, PML4
        mov     cr3, eax
        mov     ecx, 0xC0000080         ; EFER
        rdmsr
        or      eax, 0x100              ; LME
        wrmsr
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        jmp     CODE64:longmode

        bits    64
longmode:
        event   0x05
        mov     r15, 0x1122334455667788
        mov     ecx, 2                  ; "continue at RBX, and change my R15"
        mov     ebx, .moved
        out     APM, al
        event   0xEE                    ; the handler moved RIP past this
.moved: mov     rbx, r15
        event   0x06

        push    qword CODE32
        push    qword compatibility
        retfq

        bits    32
compatibility:
        event   0x07
        xor     ecx, ecx
        out     APM, al
        event   0x08
        jmp     CODE64:again

        bits    64
again:  ; The second processor has its SMBASE at 30000h still. Its handler spoils the save state.
        cld
        mov     esi, spoiler
        mov     edi, 0x38000
        mov     ecx, 64
        rep     movsd
        mov     ecx, 0x1B               ; APIC base: x2APIC mode
        rdmsr
        or      eax, 0xC00
        wrmsr
        mov     ecx, 0x830              ; ICR: INIT, then STARTUP at 9000h, to processor 1
        mov     edx, 1
        mov     eax, 0x4500
        wrmsr
        mov     eax, 0x4609
        wrmsr
        event   0x09                    ; the host runs processor 1 from here to its end
        event   0xFF
.stop:  hlt
        jmp     .stop

; ---- handlers: entered in real-mode style, CS base = SMBASE, the other segments flat ----------------

        bits    16
relocator:
        event   0x20
        mov     dword [cs:SAVED_SMBASE], SMBASE
        rsm

handler:
        mov     ecx, [cs:SAVED_RCX]
        cmp     cl, 1
        je      .change
        cmp     cl, 2
        je      .move
        event   0x23
        rsm
.change:
        add     dword [cs:SAVED_RAX], 0x1000
        event   0x21
        rsm
.move:  mov     eax, [cs:SAVED_RBX]
        mov     [cs:SAVED_RIP], eax
        not     dword [cs:SAVED_R15]
        not     dword [cs:SAVED_R15 + 4]
        event   0x22
        rsm

spoiler:
        mov     eax, [cs:SAVED_CR0]
        and     al, 0xFE                ; paging without protection: no processor can be in that state
        or      eax, 0x80000000
        mov     [cs:SAVED_CR0], eax
        event   0x24
        rsm

        align   8
gdt:    dq      0
        dq      0x00CF9B000000FFFF      ; 08 32-bit code
        dq      0x00CF93000000FFFF      ; 10 data
        dq      0x00AF9B000000FFFF      ; 18 64-bit code
gdtr:   dw      gdtr - gdt - 1
        dd      gdt

; ---- the second processor ---------------------------------------------------------------------------

        times   0x1000 - ($ - $$) db 0
second: cli
        event   0x10
        out     APM, al
        event   0xEF                    ; not reached: the RSM failed
.stop:  hlt
        jmp     .stop

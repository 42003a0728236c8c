/* Copies to and from addresses that a client gave, which may be anything: a fault in the middle ends the copy instead of the process. */
#define _GNU_SOURCE
#include "akvam.h"

#include <ucontext.h>

/* A fault leaves RIP on the instruction and what is left in RCX; recovery goes on behind it. */
__asm__(
    ".text\n"
    ".globl akvam_copy\n"
    ".hidden akvam_copy\n"
    ".type akvam_copy, @function\n"
    "akvam_copy:\n"
    "    mov %rdx, %rcx\n"
    "akvam_copy_access:\n"
    "    rep movsb\n"
    "akvam_copy_done:\n"
    "    mov %rcx, %rax\n"
    "    ret\n"
    ".size akvam_copy, . - akvam_copy\n");

extern HIDDEN const char akvam_copy_access[], akvam_copy_done[];

bool akvam_copy_recover(void *context)
{
    greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (*rip != (greg_t)(intptr_t)akvam_copy_access)
    {
        return false;
    }

    *rip = (greg_t)(intptr_t)akvam_copy_done;
    return true;
}

namespace Akvam.Cpu.Translator;

/// <summary>
/// Where the guest's general registers are while host code runs. Eleven are pinned, all but RSP in the host register of the same number, so that
/// implied operands (MUL, CMPXCHG, shifts by CL) need nothing. RSP is in R12, the host's own RSP being its stack; R11 to R15 stay in memory.
/// </summary>
internal static class HostRegister
{
    public const int Rax = 0, Rcx = 1, Rdx = 2, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7;

    /// <summary>
    /// Instructions left before the limit (<see cref="State.CpuState.Left"/>). In memory, each block would have to wait for the one before it to have counted: six cycles.
    /// Of the guest's registers compilers use this one last.
    /// </summary>
    public const int Left = 11;

    /// <summary>The guest's RSP.</summary>
    public const int GuestRsp = 12;

    /// <summary>Free for the translator; holds nothing between two guest instructions.</summary>
    public const int Scratch = 13;

    /// <summary>Free for the translator; the TLB's addend of a memory operand.</summary>
    public const int Address = 14;

    /// <summary>Points at the CpuState.</summary>
    public const int State = 15;

    /// <summary>Guest registers 0 to 10 are pinned.</summary>
    public const int Pinned = 11;

    /// <summary>The host register of a guest register, or -1: it is in memory.</summary>
    public static int Of(int guest) => guest == 4 ? GuestRsp : guest < Pinned ? guest : -1;
}

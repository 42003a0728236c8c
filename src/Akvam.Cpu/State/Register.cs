namespace Akvam.Cpu.State;

/// <summary>Numbers of the general registers in <see cref="CpuState.Gpr"/>, and byte offsets of the pseudo registers.</summary>
public static class Register
{
    public const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7;

    /// <summary>Byte offset of <see cref="CpuState.Zero"/>.</summary>
    public const byte ZeroOffset = 16 * 8;

    /// <summary>Byte offset of <see cref="CpuState.Rip"/>.</summary>
    public const byte RipOffset = 17 * 8;
}

/// <summary>Numbers of the segment registers, in encoding order. [SDM2 B.1.4]</summary>
public static class Segment
{
    public const int Es = 0, Cs = 1, Ss = 2, Ds = 3, Fs = 4, Gs = 5, Ldtr = 6, Tr = 7;
}

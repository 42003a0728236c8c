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

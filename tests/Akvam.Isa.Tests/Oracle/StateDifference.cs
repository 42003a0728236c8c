namespace Akvam.Isa.Tests.Oracle;

/// <summary>Compares two outcomes and says what differs first.</summary>
/// <remarks>Valid for the states it is given.</remarks>
internal static unsafe class StateDifference
{
    private static readonly string[] s_names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    public static string? Find(MachineState* mine, MachineState* host, ulong flags, ReadOnlySpan<byte> myMemory, ReadOnlySpan<byte> hostMemory)
    {
        for (int n = 0; n < 16; n++)
        {
            if (mine->Gpr[n] != host->Gpr[n])
            {
                return $"{s_names[n]}: {mine->Gpr[n]:x}, host {host->Gpr[n]:x}";
            }
        }

        if (((mine->Rflags ^ host->Rflags) & flags) != 0)
        {
            return $"flags: {mine->Rflags & flags:x}, host {host->Rflags & flags:x}";
        }

        for (int n = 0; n < 16; n++)
        {
            var a = new ReadOnlySpan<byte>(mine->Ymm + (32 * n), 32);
            var b = new ReadOnlySpan<byte>(host->Ymm + (32 * n), 32);
            if (!a.SequenceEqual(b))
            {
                return $"ymm{n}: {Convert.ToHexString(a)}, host {Convert.ToHexString(b)}";
            }
        }

        if ((uint)mine->Mxcsr != (uint)host->Mxcsr)
        {
            return $"mxcsr: {mine->Mxcsr:x}, host {(uint)host->Mxcsr:x}";
        }

        // FCW, FSW, FTW; not FOP and the pointers, which hold the trampoline's addresses on the host.
        for (int n = 0; n < 5; n++)
        {
            if (mine->Fx[n] != host->Fx[n])
            {
                return $"x87 environment byte {n}: {mine->Fx[n]:x2}, host {host->Fx[n]:x2}";
            }
        }

        for (int n = 0; n < 8; n++)
        {
            var a = new ReadOnlySpan<byte>(mine->Fx + 32 + (16 * n), 10);
            var b = new ReadOnlySpan<byte>(host->Fx + 32 + (16 * n), 10);
            if (!a.SequenceEqual(b))
            {
                return $"st{n}: {Convert.ToHexString(a)}, host {Convert.ToHexString(b)}";
            }
        }

        int at = myMemory.CommonPrefixLength(hostMemory);
        return at == myMemory.Length ? null : $"memory +{at:x}: {myMemory[at]:x2}, host {hostMemory[at]:x2}";
    }
}

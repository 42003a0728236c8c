using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Oracle;

/// <summary>Instructions whose memory operands are implied (strings, stack, XLAT) against the host, given as bytes: the generator makes explicit ones only.</summary>
/// <remarks>Valid for the life of the two processors it makes.</remarks>
[Collection("Host processor")]
public sealed unsafe class ImplicitOperandTests
{
    private const int Rounds = 60;

    [Theory]
    [InlineData("A4", "66A5", "A5", "48A5", "F3A4", "F366A5", "F3A5", "F348A5", "F2A4", "67F3A4", "67F3A5", "67F348A5", "67A5")]
    [InlineData("AA", "66AB", "AB", "48AB", "F3AA", "F366AB", "F3AB", "F348AB", "F2AA", "67F3AA", "67F3AB", "67F348AB")]
    [InlineData("AC", "66AD", "AD", "48AD", "F3AC", "F366AD", "F3AD", "F348AD", "67F3AD")]
    [InlineData("A6", "66A7", "A7", "48A7", "F3A6", "F366A7", "F3A7", "F348A7", "F2A6", "F266A7", "F2A7", "F248A7", "67F3A6", "67F2A7")]
    [InlineData("AE", "66AF", "AF", "48AF", "F3AE", "F366AF", "F3AF", "F348AF", "F2AE", "F266AF", "F2AF", "F248AF", "67F2AE", "67F3AF")]
    public void Strings(params string[] instructions) => Compare(instructions);

    [Theory]
    [InlineData("50", "54", "6650", "6654", "415F", "58", "6658", "665C", "FF33", "66FF33", "FF3424", "FF742408", "8F03", "668F03", "8F0424", "8F442410", "668F442402")]
    [InlineData("6A80", "666A80", "6812345678", "66681234")]
    [InlineData("C8100000", "C8000101", "C8200002", "C8081005", "C800001F", "C8000021", "66C8100000", "66C8080003", "C9")]
    public void Stack(params string[] instructions) => Compare(instructions);

    [Theory]
    [InlineData("D7", "67D7")]
    [InlineData("9F", "9E", "F5", "FC", "FD")]
    public void Others(params string[] instructions) => Compare(instructions);

    private static void Compare(string[] instructions)
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.X86Base.IsSupported, "the oracle is an x86-64 host");
        using var host = new HostCpu();
        using var guest = new GuestCpu();
        foreach (string hex in instructions)
        {
            byte[] bytes = Convert.FromHexString(hex);
            for (int round = 0; round < Rounds; round++)
            {
                var random = new Random(round);
                MachineState before = Prepare(random, guest.Scratch, hex.StartsWith("67", StringComparison.Ordinal)), mine = before;
                guest.Scratch.CopyTo(HostCpu.Scratch);
                Assert.True(guest.Run(bytes, &mine), $"{hex} round {round}: {guest.State->Fault.Vector}");
                *host.State = before;
                host.Run(bytes);
                string? difference = StateDifference.Find(&mine, host.State, Rflags.Lazy | Rflags.DF, guest.Scratch, HostCpu.Scratch);
                Assert.True(difference == null, $"{hex} round {round}: {difference}");
            }
        }
    }

    /// <summary>Strings near a page boundary, overlapping or apart, over bytes of few values, so that comparisons go on for a while.</summary>
    private static MachineState Prepare(Random random, Span<byte> memory, bool shortAddress)
    {
        MachineState s = default;
        int values = random.Next(1, 4);
        for (int n = 0; n < memory.Length; n++)
        {
            memory[n] = (byte)random.Next(values);
        }

        for (int n = 0; n < 16; n++)
        {
            s.Gpr[n] = (ulong)random.NextInt64();
        }

        ulong upper = shortAddress ? (ulong)random.Next() << 32 : 0;
        s.Gpr[Register.Rax] = random.Next(2) == 0 ? 0 : (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        s.Gpr[Register.Rbx] = HostCpu.ScratchAddress + 0x400 + upper;
        s.Gpr[Register.Rsi] = HostCpu.ScratchAddress + 0x3F80 + (ulong)random.Next(256);
        s.Gpr[Register.Rdi] = random.Next(2) == 0 ? s.Gpr[Register.Rsi] + (ulong)random.Next(-40, 40) : HostCpu.ScratchAddress + 0x6F80 + (ulong)random.Next(256);
        s.Gpr[Register.Rsi] += upper;
        s.Gpr[Register.Rdi] += upper;

        // A count of 0 with a 32-bit address size is where Intel's processors clear registers and AMD's, whose way is ours, do not.
        s.Gpr[Register.Rcx] = (ulong)random.Next(shortAddress ? 1 : 0, random.Next(2) == 0 ? 8 : 300) + upper;
        s.Gpr[Register.Rsp] = HostCpu.ScratchAddress + 0x8000 + (ulong)random.Next(64);
        s.Gpr[Register.Rbp] = HostCpu.ScratchAddress + 0x9000 + (ulong)random.Next(64);
        s.Rflags = Rflags.Fixed | Rflags.IF | ((ulong)random.NextInt64() & (Rflags.Lazy | Rflags.DF));
        s.Mxcsr = 0x1F80;
        *(ushort*)s.Fx = 0x37F;
        *(uint*)(s.Fx + 24) = 0x1F80;
        return s;
    }
}

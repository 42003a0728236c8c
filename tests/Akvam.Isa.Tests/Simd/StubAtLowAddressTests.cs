using Akvam.Cpu;

namespace Akvam.Isa.Tests.Simd;

/// <summary>The address of a guest's instruction has nothing to do with the host code made from it (found by random code).</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed class StubAtLowAddressTests
{
    [Theory]
    [InlineData(1, "0F58C1")] // addps xmm0, xmm1
    [InlineData(2, "0F58C1")]
    [InlineData(1, "D8C1")] // fadd st, st(1)
    public void An_instruction_near_address_0_executes(int address, string code)
    {
        using var m = new TestMachine();
        ModeSetup.Enter(m, GuestMode.Real, (ulong)address);
        Convert.FromHexString(code).CopyTo(m.Memory[address..]);
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
        unsafe
        {
            Assert.Equal((ulong)(address + (code.Length / 2)), m.State->Rip);
        }
    }
}

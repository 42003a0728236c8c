using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Supervisor;

/// <summary>RESET: what is left of the program before it. [SDM3 table 9-1]</summary>
/// <remarks>Valid for the life of the machine it makes.</remarks>
public sealed unsafe class ResetTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_last_x87_instruction_is_forgotten_by_reset_and_kept_by_init(bool init)
    {
        using var m = new TestMachine();
        CpuState* s = m.State;
        s->Fcs = 0x10;
        s->Fds = 0x18;
        m.Processor.Reset(init);
        Assert.Equal(init ? (0x10, 0x18) : (0, 0), (s->Fcs, s->Fds));
    }
}

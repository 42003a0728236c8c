using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Debugging;

/// <summary>UD2 and "kvm": nothing at all where it is asked for (kvm.force_emulation_prefix).</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class EmulationPrefixTests
{
    private const ulong Origin = EventMachine.Origin;
    private const string Prefix = "0F0B6B766D";

    private static EventMachine Machine(string code, bool prefix = true, GuestMode mode = GuestMode.Long)
    {
        var e = new EventMachine(code, mode);
        e.M.Processor.Quirks |= prefix ? ProcessorQuirks.EmulationPrefix : 0;
        e.S->Gpr[Register.Rax] = ModeSetup.Data;
        return e;
    }

    [Theory]
    [InlineData(Prefix, true, -1)]
    [InlineData(Prefix, false, 6)]
    [InlineData("0F0B6B766C", true, 6)]
    public void Is_skipped_where_it_is_one(string prefix, bool offered, int vector)
    {
        using EventMachine e = Machine(prefix + "FFC0F4", offered);
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal(vector < 0 ? Origin + 8 : ModeSetup.Handlers + (ulong)vector + 1, e.S->Rip);
    }

    [Fact]
    public void Is_skipped_in_real_mode_too()
    {
        using EventMachine e = Machine(Prefix + "F4", mode: GuestMode.Real);
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal(Origin + 6, e.S->Rip);
    }

    [Fact]
    public void Is_not_stepped_and_keeps_the_shadow()
    {
        using EventMachine e = Machine("8ED0" + Prefix + "9090");
        Assert.Equal(RunResult.Limit, e.Run(1));
        e.Flags = Rflags.TF | Rflags.IF;
        e.M.Bus.Interrupts.Enqueue(0x40);
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((1, Origin + 8), (e.StoppedIn, e.Slot(0)));
    }
}

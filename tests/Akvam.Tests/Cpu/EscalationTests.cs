using Akvam.Cpu;
using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>Exceptions during the delivery of exceptions. [SDM3 table 6-5]</summary>
public sealed unsafe class EscalationTests
{
    /// <summary>Contributory then contributory: #GP whose gate is not present.</summary>
    [Fact]
    public void Contributory_twice_is_a_double_fault()
    {
        using SystemMachine m = Protected(3);
        m.SetGate(13, Gate(Code0, (uint)Handler(13), 0x6E));
        m.Run(1, 0xF4);
        m.AssertFault(8, 0);
    }

    /// <summary>Benign then contributory: #UD whose gate is not present gives #NP, with EXT set.</summary>
    [Fact]
    public void Benign_first_is_delivered_one_after_the_other()
    {
        using SystemMachine m = Protected();
        m.SetGate(6, Gate(Code0, (uint)Handler(6), 0x6E));
        m.Run(1, 0x0F, 0x0B);
        m.AssertFault(11, (6 * 8) + 3);
    }

    /// <summary>INT n is benign, whatever its vector.</summary>
    [Fact]
    public void Software_interrupts_are_benign()
    {
        using SystemMachine m = Protected();
        m.SetGate(13, Gate(Code0, (uint)Handler(13), 0x6E));
        m.Run(1, 0xCD, 13);
        m.AssertFault(11, (13 * 8) + 2);
    }

    /// <summary>Page fault while delivering a page fault: #DF, and CR2 is that of the second one.</summary>
    [Fact]
    public void Page_fault_twice_is_a_double_fault()
    {
        using SystemMachine m = Long(3);
        m.SetGate64(8, Gate(Code64, (uint)Handler(8), 0x8E, 1));
        m.Write64(Tss + 0x24, InnerStack);
        m.Write64(Tss + 4, 0x4000_1000);

        // mov al, [40000000h]
        m.Run(1, 0x8A, 0x04, 0x25, 0, 0, 0, 0x40);
        m.AssertFault(8, 0);
        // SS is pushed first.
        Assert.Equal(0x4000_0FF8ul, m.State->Cr2);
    }

    /// <summary>Contributory then page fault is the page fault.</summary>
    [Fact]
    public void Page_fault_after_contributory_is_delivered()
    {
        using SystemMachine m = Long(3);
        m.SetGate64(14, Gate(Code64, (uint)Handler(14), 0x8E, 1));
        m.Write64(Tss + 0x24, InnerStack);
        m.Write64(Tss + 4, 0x4000_1000);
        m.Run(1, 0xF4);
        m.AssertFault(14, 2);
    }

    [Fact]
    public void Fault_during_the_double_fault_is_shutdown()
    {
        using SystemMachine m = Protected(3);
        m.State->IdtLimit = 0;
        Assert.Equal(RunResult.Shutdown, m.Run(1, 0xF4));
        Assert.Equal((ulong)Code, m.State->Rip);
        Assert.Equal(EventKind.None, m.State->Delivering.Kind);
    }

    /// <summary>The page fault's own delivery: error code, CR2, and the address of the instruction.</summary>
    [Fact]
    public void Page_fault_has_cr2_and_error_code()
    {
        using SystemMachine m = Long(3);
        m.Run(1, 0x8A, 0x04, 0x25, 0x34, 0x12, 0, 0x40);
        m.AssertFault(14, 4);
        Assert.Equal(0x4000_1234ul, m.State->Cr2);
    }
}

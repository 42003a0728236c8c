using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Paging;

/// <summary>
/// Every 32 GiB two neighbouring pages have the same TLB entry. What goes from one to the other must not touch the memory before the second page's. Found by random
/// programs whose stack pointer wrapped around: it was the host's memory.
/// </summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class TlbSeamTests
{
    private const ulong Rip = 0x1000, Directory1 = 0xE000, Directory2 = 0xF000, Last = 0x3F_FFFC, First = 0x20_0000;

    /// <summary>mov rbx, 800000000h; mov al, [rbx]; mov rax, 1122334455667788h; mov [rbx-4], rax; mov rcx, [rbx-4]; hlt.</summary>
    private static ReadOnlySpan<byte> Across =>
    [
        0x48, 0xBB, 0, 0, 0, 0, 8, 0, 0, 0, 0x8A, 0x03, 0x48, 0xB8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x48, 0x89, 0x43, 0xFC, 0x48, 0x8B, 0x4B, 0xFC, 0xF4,
    ];

    /// <summary>mov al, [0]; mov rsp, 8; int3.</summary>
    private static ReadOnlySpan<byte> Frame => [0x8A, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0xC7, 0xC4, 8, 0, 0, 0, 0xCC];

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void An_access_across_goes_to_both_pages(EngineKind engine)
    {
        using var m = new TestMachine(4 << 20, engine);
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        ulong* pointers = (ulong*)(m.Ram + ModeSetup.Tables + 0x1000);
        pointers[31] = Directory1 | 7;
        pointers[32] = Directory2 | 7;
        ((ulong*)(m.Ram + Directory1))[511] = First | 0x87;
        ((ulong*)(m.Ram + Directory2))[0] = First | 0x87;
        Across.CopyTo(m.Memory[(int)Rip..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run(1000));
        Assert.Equal(0x5566_7788u, *(uint*)(m.Ram + Last));
        Assert.Equal(0x1122_3344u, *(uint*)(m.Ram + First));
        Assert.Equal(0u, *(uint*)(m.Ram + First - 4));
        Assert.Equal(0x1122_3344_5566_7788ul, m.State->Gpr[Register.Rcx]);
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void A_frame_below_address_0_faults(EngineKind engine)
    {
        using var m = new TestMachine(engine: engine);
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        Frame.CopyTo(m.Memory[(int)Rip..]);
        m.Processor.InterceptedExceptions = 1u << 14;
        Assert.Equal(RunResult.Debug, m.Processor.Run(1000));
        Assert.Equal((Vector.PF, 0xFFFF_FFFF_FFFF_FFF8ul), (m.State->Fault.Vector, m.State->Cr2 == 0 ? m.State->Fault.Payload : m.State->Cr2));
    }
}

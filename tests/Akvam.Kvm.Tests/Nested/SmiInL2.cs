using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Svm;

namespace Akvam.KvmTests.Nested;

/// <summary>An SMI while L2 runs. semantics.md 3.5, 8 (G15). [APM2 15.13.3] [APM2 15.22.3]</summary>
public sealed class SmiInL2
{
    private const ulong Smbase = 0x30000, Handler = Smbase + 0x8000, GuestFlag = Smbase + 0xFED8, GuestVmcb = Smbase + 0xFEE0;

    /// <summary>out 80h,al; mov ebx,5; vmmcall</summary>
    private static readonly byte[] L2 = [0xE6, 0x80, 0xBB, 5, 0, 0, 0, 0x0F, 0x01, 0xD9];

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void TheHandlerRunsAndRsmGoesBackIntoL2(EngineKind engine)
    {
        using var h = new Hypervisor(L2, engine);

        // inc byte [9000h]; rsm
        Prepare(h, [0x67, 0xFE, 0x05, 0, 0x90, 0, 0, 0x0F, 0xAA]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        VmcbControl c = h.RunToExit();
        Assert.Equal(SvmExitCode.Vmmcall, c.ExitCode);
        Assert.Equal((Hypervisor.L2Code + 7, 0x1234ul), (h.Save.Rip, h.Save.Rax));
        Assert.Equal(5ul, h.Vcpu.GetRegs().rbx);
        Assert.Equal(1, Read(h, 0x9000, 1)[0]);
    }

    [Fact]
    public void TheHandlerSeesL1AndTheImageL2()
    {
        using var h = new Hypervisor(L2);

        // out 90h,al; rsm
        Prepare(h, [0xE6, 0x90, 0x0F, 0xAA]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        Assert.Equal(0x90, h.Vcpu.RunPage.io.port);
        Assert.False(h.InGuest);
        Assert.Equal(SvmExitCode.Software, h.Control.ExitCode);
        Assert.Equal((1ul, Hypervisor.Vmcb), (BitConverter.ToUInt64(Read(h, GuestFlag, 8)), BitConverter.ToUInt64(Read(h, GuestVmcb, 8))));
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
    }

    [Fact]
    public void G15_G20_AVmcbThatTheHandlerMadeIllegalEndsInShutdown()
    {
        using var h = new Hypervisor(L2);
        Prepare(h, [0xE6, 0x90, 0x0F, 0xAA]);
        h.Vcpu.Run();
        h.Vcpu.Smi();
        h.Vcpu.Run();
        VmcbControl c = h.Control;
        c.Asid = 0;
        h.Control = c;
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, h.Vcpu.Run().Reason);
        Assert.False(h.InGuest);
    }

    [Fact]
    public void L1MayInterceptIt()
    {
        using var h = new Hypervisor(L2);
        Prepare(h, [0x0F, 0xAA]);
        h.Intercept(SvmExitCode.Smi);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        Assert.Equal(SvmExitCode.Smi, h.RunToExit().ExitCode);

        // It waits for L1's STGI.
        Assert.Equal(1, h.Vcpu.GetVcpuEvents().smi.pending);
        Assert.Equal(Hypervisor.L2Code + 2, h.Save.Rip);
    }

    private static void Prepare(Hypervisor h, ReadOnlySpan<byte> handler)
    {
        h.Guest.Vm.MapMemory(1 << 16, 0, h.Guest.Vm.AllocateMemory(Smbase + 0x10000));
        h.Guest.Vm.WriteMemory(Handler, handler, space: 1);
    }

    private static byte[] Read(Hypervisor h, ulong address, int length)
    {
        var data = new byte[length];
        h.Guest.Vm.ReadMemory(address, data, space: 1);
        return data;
    }
}

using Akvam.Abi;

namespace Akvam.KvmTests.Running;

/// <summary>[KVM 5 KVM_EXIT_IO]</summary>
public sealed class PortExits
{
    [Fact]
    public void OutShowsPortSizeAndData()
    {
        // mov dx, 3f8h; mov ax, 1234h; out dx, ax; hlt
        using var guest = new Guest([0xBA, 0xF8, 0x03, 0xB8, 0x34, 0x12, 0xEF, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.True(exit.Io.IsWrite);
        Assert.Equal(0x3F8, exit.Io.Port);
        Assert.Equal(2, exit.Io.Size);
        Assert.Equal(1, exit.Io.Count);
        Assert.Equal<byte>([0x34, 0x12], exit.Io.Data.ToArray());
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void InTakesTheAnswerOfTheClient()
    {
        // mov dx, 60h; in al, dx; out 61h, al; hlt
        using var guest = new Guest([0xBA, 0x60, 0x00, 0xEC, 0xE6, 0x61, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.False(exit.Io.IsWrite);
        Assert.Equal(1, exit.Io.Size);
        exit.Io.Reply(0x5A);

        exit = guest.Vcpu.Run();
        Assert.Equal(0x61, exit.Io.Port);
        Assert.Equal(0x5Au, exit.Io.Value);
    }

    [Fact]
    public void ImmediateExitFinishesTheInAndNothingElse()
    {
        // in al, 60h; inc bx; hlt
        using var guest = new Guest([0xE4, 0x60, 0x43, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        exit.Io.Reply(0x77);
        guest.Vcpu.RunPage.immediate_exit = 1;
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);

        // Clients look at the exit again after they have let it finish.
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.RunPage.exit_reason);
        kvm_regs regs = guest.Vcpu.GetRegs();
        Assert.Equal(0x77ul, regs.rax);
        Assert.Equal(0x1002ul, regs.rip);
        Assert.Equal(0ul, regs.rbx);

        guest.Vcpu.RunPage.immediate_exit = 0;
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(1ul, guest.Vcpu.GetRegs().rbx);
    }

    /// <summary>[KVM 5 KVM_EXIT_IO] count</summary>
    [Fact]
    public void StringInputTakesManyElementsAtOnce()
    {
        // mov di, 3000h; mov cx, 5; mov dx, 170h; cld; rep insw; hlt
        using var guest = new Guest([0xBF, 0x00, 0x30, 0xB9, 0x05, 0x00, 0xBA, 0x70, 0x01, 0xFC, 0xF3, 0x6D, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal((KvmExit.KVM_EXIT_IO, false, 2, 5), (exit.Reason, exit.Io.IsWrite, exit.Io.Size, exit.Io.Count));
        byte[] data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        data.CopyTo(exit.Io.Data);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal((0ul, 0x300Aul), (guest.Vcpu.GetRegs().rcx, guest.Vcpu.GetRegs().rdi));

        // mov si, 3000h; mov cx, 9; rep outsb; hlt
        using var second = new Guest([0xBE, 0x00, 0x10, 0xB9, 0x09, 0x00, 0xF3, 0x6E, 0xF4]);
        exit = second.Vcpu.Run();
        Assert.Equal((KvmExit.KVM_EXIT_IO, true, 1, 9), (exit.Reason, exit.Io.IsWrite, exit.Io.Size, exit.Io.Count));
        Assert.Equal<byte>([0xBE, 0x00, 0x10, 0xB9, 0x09, 0x00, 0xF3, 0x6E, 0xF4], exit.Io.Data.ToArray());
        Assert.Equal(KvmExit.KVM_EXIT_HLT, second.Vcpu.Run().Reason);
    }

    [Fact]
    public void ADeviceOfTheClientWorksWithoutAnExit()
    {
        // in al, 60h; inc al; out 60h, al; out 61h, al; hlt
        using var guest = new Guest([0xE4, 0x60, 0xFE, 0xC0, 0xE6, 0x60, 0xE6, 0x61, 0xF4]);
        var device = new Register60();
        guest.Vm.PortHandler = device;
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal((KvmExit.KVM_EXIT_IO, 0x61), (exit.Reason, exit.Io.Port));
        Assert.Equal((42u, guest.Vcpu), (device.Value, device.Caller));
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    private sealed class Register60 : IPortHandler
    {
        public uint Value { get; private set; } = 41;

        public Vcpu? Caller { get; private set; }

        public bool TryRead(Vcpu vcpu, ushort port, int size, out uint value)
        {
            Caller = vcpu;
            value = Value;
            return port == 0x60;
        }

        public bool TryWrite(Vcpu vcpu, ushort port, int size, uint value)
        {
            Value = port == 0x60 ? value : Value;
            return port == 0x60;
        }
    }
}

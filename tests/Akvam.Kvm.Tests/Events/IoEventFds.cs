using Akvam.Abi;

namespace Akvam.KvmTests.Events;

/// <summary>[KVM 4.59]</summary>
public sealed class IoEventFds
{
    // mov al, 5; out 80h, al; mov al, 6; out 80h, al; hlt
    private static readonly byte[] s_twoBytes = [0xB0, 0x05, 0xE6, 0x80, 0xB0, 0x06, 0xE6, 0x80, 0xF4];

    private static kvm_ioeventfd Port(HostEvent file, uint length = 1, ulong? match = null, uint flags = 0) => new()
    {
        addr = 0x80,
        len = length,
        fd = file.File,
        datamatch = match ?? 0,
        flags = KvmIrq.KVM_IOEVENTFD_FLAG_PIO | (match is null ? 0 : KvmIrq.KVM_IOEVENTFD_FLAG_DATAMATCH) | flags,
    };

    private static Errno Refused(Guest guest, kvm_ioeventfd request) => Assert.Throws<KvmException>(() => guest.Vm.IoEventFd(request)).Errno;

    [Fact]
    public void APortWriteSignalsInsteadOfExiting()
    {
        using var guest = new Guest(s_twoBytes);
        using var file = new HostEvent();
        guest.Vm.IoEventFd(Port(file));
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(2ul, file.Take());
    }

    [Fact]
    public void OnlyTheMatchingValueSignals()
    {
        using var guest = new Guest(s_twoBytes);
        using var file = new HostEvent();
        guest.Vm.IoEventFd(Port(file, match: 6));
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.Equal(5u, exit.Io.Value);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(1ul, file.Take());
    }

    [Fact]
    public void AnotherLengthExitsUnlessAnyLengthIsAskedFor()
    {
        using var guest = new Guest(s_twoBytes);
        using var file = new HostEvent();
        guest.Vm.IoEventFd(Port(file, length: 2));
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.Run().Reason);
        guest.Vm.IoEventFd(Port(file, length: 2, flags: KvmIrq.KVM_IOEVENTFD_FLAG_DEASSIGN));
        guest.Vm.IoEventFd(Port(file, length: 0));
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(1ul, file.Take());
    }

    [Fact]
    public void AWriteToMemoryThatIsNotThereSignals()
    {
        // mov ax, 2000h; mov ds, ax; mov word [10h], 1234h; hlt
        using var guest = new Guest([0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xC7, 0x06, 0x10, 0x00, 0x34, 0x12, 0xF4]);
        using var file = new HostEvent();
        guest.Vm.IoEventFd(new kvm_ioeventfd { addr = 0x20010, len = 2, fd = file.File, datamatch = 0x1234, flags = KvmIrq.KVM_IOEVENTFD_FLAG_DATAMATCH });
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(1ul, file.Take());
    }

    [Fact]
    public void AfterDeassigningTheWriteIsAnExitAgain()
    {
        using var guest = new Guest(s_twoBytes);
        using var file = new HostEvent();
        guest.Vm.IoEventFd(Port(file));
        guest.Vm.IoEventFd(Port(file, flags: KvmIrq.KVM_IOEVENTFD_FLAG_DEASSIGN));
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.Run().Reason);
        Assert.Equal(Errno.ENOENT, Refused(guest, Port(file, flags: KvmIrq.KVM_IOEVENTFD_FLAG_DEASSIGN)));
    }

    [Fact]
    public void TheClientMayCloseItsDescriptor()
    {
        using var guest = new Guest(s_twoBytes);
        using (var file = new HostEvent())
        {
            guest.Vm.IoEventFd(Port(file));
        }

        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void RequestsThatMeanNothingAreRefused()
    {
        using var guest = new Guest(s_twoBytes);
        using var file = new HostEvent();
        using FileStream plain = File.OpenRead("/proc/self/stat");
        Assert.Equal(Errno.EINVAL, Refused(guest, Port(file, length: 3)));
        Assert.Equal(Errno.EINVAL, Refused(guest, Port(file, flags: 1 << 7)));
        Assert.Equal(Errno.EINVAL, Refused(guest, Port(file, length: 0, match: 1)));
        Assert.Equal(Errno.EINVAL, Refused(guest, Port(file) with { fd = (int)plain.SafeFileHandle.DangerousGetHandle() }));
        Assert.Equal(Errno.EBADF, Refused(guest, Port(file) with { fd = -1 }));
        Assert.Equal(Errno.EINVAL, Refused(guest, Port(file) with { addr = ulong.MaxValue, flags = 0, len = 2 }));
    }

    [Fact]
    public void TwoForTheSameWriteAreRefused()
    {
        using var guest = new Guest(s_twoBytes);
        using var file = new HostEvent();
        guest.Vm.IoEventFd(Port(file, match: 1));
        guest.Vm.IoEventFd(Port(file, match: 2));
        Assert.Equal(Errno.EEXIST, Refused(guest, Port(file, match: 1)));
        Assert.Equal(Errno.EEXIST, Refused(guest, Port(file, length: 0)));
    }
}

namespace Akvam.KvmTests.Running;

public sealed class Tracing
{
    [Fact]
    public void EventsInsideAreReportedByTheKernelsNames()
    {
        using var guest = new Guest([0xE6, 0x01, 0xEB, 0xFC]);
        guest.Write(0x2000, [0xE6, 0x02, 0xCF]);
        guest.Write(2 * 4, [0x00, 0x20, 0x00, 0x00]);
        List<string> names = [];
        guest.Vcpu.Trace = (name, _) => names.Add(name);
        guest.Vcpu.Run();
        guest.Vcpu.Nmi();
        guest.Vcpu.Run();
        Assert.Equal(["kvm_inj_nmi"], names);
    }

    [Fact]
    public void InstructionsAreCountedExactly()
    {
        // inc bx; inc bx; hlt
        using var guest = new Guest([0x43, 0x43, 0xF4]);
        ulong before = guest.Vcpu.InstructionCount;
        guest.Vcpu.Run();
        Assert.Equal(before + 3, guest.Vcpu.InstructionCount);
    }
}

using Akvam.Abi;

namespace Akvam.KvmTests.Running;

public sealed class Lifetime
{
    [Fact]
    public void DisposingTheVmEndsARunOnAnotherThread()
    {
        for (int i = 0; i < 20; i++)
        {
            var guest = new Guest([0xEB, 0xFE], irqchip: i % 2 == 0);
            Exception? error = null;
            var runner = new Thread(() =>
            {
                try
                {
                    while (true)
                    {
                        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);
                    }
                }
                catch (Exception e)
                {
                    error = e;
                }
            });
            runner.Start();
            Thread.Sleep(i % 5);
            guest.Dispose();
            Assert.True(runner.Join(10_000));
            Assert.IsType<ObjectDisposedException>(error);
        }
    }

    [Fact]
    public void AnExitCanBeLookedAtAfterItsVcpuIsGone()
    {
        var guest = new Guest([0xE6, 0x10, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        guest.Dispose();
        GC.Collect();
        Assert.Equal(0x10, exit.Io.Port);
    }

    [Fact]
    public void EverythingIsRefusedAfterwards()
    {
        var guest = new Guest([0xF4]);
        guest.Dispose();
        Assert.Throws<ObjectDisposedException>(() => guest.Vcpu.Run());
        Assert.Throws<ObjectDisposedException>(() => guest.Vcpu.GetRegs());
        Assert.Throws<ObjectDisposedException>(() => guest.Vcpu.Nmi());
        Assert.Throws<ObjectDisposedException>(() => guest.Vm.CreateVcpu(1));
        Assert.Throws<ObjectDisposedException>(() => guest.Vm.ReadMemory(0, new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => guest.Memory.Span(0, 1));
        guest.Vcpu.Kick();
        guest.Dispose();
    }

    [Fact]
    public void TwoVmsDoNotSeeEachOther()
    {
        // mov [2000h], al; mov bl, [2000h]; out 10h, al; hlt
        byte[] code = [0xA2, 0x00, 0x20, 0x8A, 0x1E, 0x00, 0x20, 0xE6, 0x10, 0xF4];
        using var one = new Guest(code);
        using var two = new Guest(code);
        one.Vcpu.SetRegs(one.Vcpu.GetRegs() with { rax = 1 });
        two.Vcpu.SetRegs(two.Vcpu.GetRegs() with { rax = 2 });
        Assert.Equal(1u, one.Vcpu.Run().Io.Value);
        Assert.Equal(2u, two.Vcpu.Run().Io.Value);
        Assert.Equal(1, one.Read(0x2000, 1)[0]);
        Assert.Equal(2, two.Read(0x2000, 1)[0]);
    }

    [Fact]
    public void VcpusAreNumberedOnce()
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KvmException>(() => guest.Vm.CreateVcpu(0)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vm.CreateVcpu(Vm.MaxVcpuId)).Errno);
    }
}

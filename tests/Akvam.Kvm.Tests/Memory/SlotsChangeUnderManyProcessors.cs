using Akvam.Abi;

namespace Akvam.KvmTests.Memory;

/// <summary>Slots come and go while several processors run on their own threads: nobody sees memory that is gone, nobody waits for ever.</summary>
public sealed class SlotsChangeUnderManyProcessors
{
    private const int Processors = 3;
    private const int Changes = 300;

    [Fact]
    public void EveryAccessIsMemoryOrAnExit()
    {
        // mov ax, 2000h; mov ds, ax; l: inc byte [0]; jmp l
        using var guest = new Guest([0xB8, 0x00, 0x20, 0x8E, 0xD8, 0xFE, 0x06, 0x00, 0x00, 0xEB, 0xFA]);
        GuestMemory extra = guest.Vm.AllocateMemory(0x1000);
        var vcpus = new List<Vcpu> { guest.Vcpu };
        for (uint id = 1; id < Processors; id++)
        {
            Vcpu vcpu = guest.Vm.CreateVcpu(id);
            Guest.StartReal(vcpu, Guest.CodeAddress);
            vcpus.Add(vcpu);
        }

        bool stop = false;
        int exits = 0;
        Exception? error = null;
        Thread[] threads = [.. vcpus.Select(vcpu => new Thread(() =>
        {
            try
            {
                while (!Volatile.Read(ref stop))
                {
                    VcpuExit exit = vcpu.Run();
                    if (exit.Reason == KvmExit.KVM_EXIT_MMIO)
                    {
                        Assert.Equal(0x2_0000ul, exit.Mmio.Address);
                        Interlocked.Increment(ref exits);
                    }
                    else
                    {
                        Assert.Equal(KvmExit.KVM_EXIT_INTR, exit.Reason);
                    }
                }
            }
            catch (Exception e)
            {
                error = e;
            }
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        for (int i = 0; i < Changes; i++)
        {
            guest.Vm.MapMemory(7, 0x2_0000, extra, flags: i % 2 == 0 ? KvmMemory.KVM_MEM_LOG_DIRTY_PAGES : 0);
            if (i % 2 == 0)
            {
                guest.Vm.GetDirtyLog(7, new ulong[1]);
            }

            guest.Vm.SetUserMemoryRegion(new kvm_userspace_memory_region { slot = 7 });
        }

        Volatile.Write(ref stop, true);
        foreach (Vcpu vcpu in vcpus)
        {
            vcpu.Kick();
        }

        Assert.All(threads, thread => Assert.True(thread.Join(20_000)));
        Assert.Null(error);
        Assert.True(exits > 0);
    }
}

using Akvam.Abi;

namespace Akvam.KvmTests.Interrupts;

/// <summary>INIT and SIPI from one processor's APIC start another. [SDM3 8.4.4]</summary>
public sealed class StartingProcessors
{
    [Fact]
    public void TheOtherProcessorStartsAtTheVectorsPage()
    {
        // 64-bit: x2APIC ICR (830h): INIT, then SIPI 5, to processor 1; hlt
        byte[] code =
        [
            0xB9, 0x30, 0x08, 0x00, 0x00, // mov ecx, 830h
            0xBA, 0x01, 0x00, 0x00, 0x00, // mov edx, 1
            0xB8, 0x00, 0x45, 0x00, 0x00, // mov eax, 4500h
            0x0F, 0x30,                   // wrmsr
            0xB8, 0x05, 0x46, 0x00, 0x00, // mov eax, 4605h
            0x0F, 0x30,                   // wrmsr
            0xE6, 0x01,                   // out 1, al
            0xF4,
        ];
        using var guest = new Guest(code, irqchip: true);
        using Vcpu other = guest.Vm.CreateVcpu(1);
        other.SetCpuid2(guest.Vcpu.GetCpuid2());
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        sregs.apic_base |= 1 << 10;
        guest.Vcpu.SetSregs(sregs);

        // At 5000h, real mode: mov ax, cs; out 2, ax
        guest.Write(0x5000, [0x8C, 0xC8, 0xE7, 0x02]);

        uint selector = 0, port = 0;
        var thread = new Thread(() =>
        {
            VcpuExit exit = other.Run();
            port = exit.Io.Port;
            selector = exit.Io.Value;
        });
        thread.Start();
        Assert.Equal(1, guest.Vcpu.Run().Io.Port);
        Assert.True(thread.Join(10_000));
        Assert.Equal(2u, port);
        Assert.Equal(0x500u, selector);
    }
}

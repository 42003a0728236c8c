using Akvam.Abi;

namespace Akvam.KvmTests;

/// <summary>The example of the README: every line of it stands here, which a test holds.</summary>
internal static class ReadmeExample
{
    /// <summary>A guest adds two numbers and writes the sum to a port.</summary>
    /// <returns>What it wrote.</returns>
    public static uint Run()
    {
        byte[] code = [0x01, 0xD8, 0xE7, 0x10, 0xF4]; // add ax, bx; out 10h, ax; hlt

        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        vm.AddMemory(0x1000, 0x1000);
        vm.WriteMemory(0x1000, code);

        using Vcpu vcpu = vm.CreateVcpu();
        kvm_sregs sregs = vcpu.GetSregs();
        sregs.cs.@base = sregs.cs.selector = 0;
        vcpu.SetSregs(sregs);
        vcpu.SetRegs(new kvm_regs { rip = 0x1000, rax = 1200, rbx = 34, rflags = 2 });

        uint sum = 0;
        VcpuExit exit;
        while ((exit = vcpu.Run()).Reason == KvmExit.KVM_EXIT_IO)
        {
            Console.WriteLine($"port {exit.Io.Port:x}: {exit.Io.Value}");
            sum = exit.Io.Value;
        }

        return exit.Reason == KvmExit.KVM_EXIT_HLT ? sum : throw new InvalidOperationException($"exit {exit.Reason}");
    }
}

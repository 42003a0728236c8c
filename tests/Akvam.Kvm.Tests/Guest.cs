using Akvam.Abi;

namespace Akvam.KvmTests;

/// <summary>A VM with one vCPU in real mode at 0000:1000, 64 KiB of RAM at 0, for a behaviour to be looked at.</summary>
internal sealed class Guest : IDisposable
{
    public const ulong CodeAddress = 0x1000;
    public const ulong MemorySize = 0x1_0000;

    private readonly Kvm _kvm;

    /// <param name="code">Placed at <see cref="CodeAddress"/>.</param>
    /// <param name="irqchip">With interrupt controllers of KVM's.</param>
    /// <param name="options">Time and randomness; null: the host's.</param>
    public Guest(ReadOnlySpan<byte> code, bool irqchip = false, VmOptions? options = null)
        : this(code, Kvm.Open(), options, irqchip)
    {
    }

    /// <param name="code">Placed at <see cref="CodeAddress"/>.</param>
    /// <param name="kvm">The system it belongs to, and ends.</param>
    /// <param name="options">Time and randomness; null: the host's.</param>
    /// <param name="irqchip">With interrupt controllers of KVM's.</param>
    public Guest(ReadOnlySpan<byte> code, Kvm kvm, VmOptions? options = null, bool irqchip = false)
    {
        _kvm = kvm;
        Vm = _kvm.CreateVm(options);
        if (irqchip)
        {
            Vm.CreateIrqchip();
        }

        Memory = Vm.AddMemory(0, MemorySize);
        Vcpu = Vm.CreateVcpu();
        Vcpu.SetCpuid2(_kvm.GetSupportedCpuid());
        Write(CodeAddress, code);
        StartReal(Vcpu, CodeAddress);
    }

    public Vm Vm { get; }

    public Vcpu Vcpu { get; }

    public GuestMemory Memory { get; }

    /// <summary>Real mode with segments at 0, RIP at <paramref name="rip"/>, RSP 8000h, interrupts off.</summary>
    public static void StartReal(Vcpu vcpu, ulong rip)
    {
        kvm_sregs sregs = vcpu.GetSregs();
        sregs.cs.@base = 0;
        sregs.cs.selector = 0;
        vcpu.SetSregs(sregs);
        vcpu.SetRegs(new kvm_regs { rip = rip, rsp = 0x8000, rflags = 2 });
    }

    public void Write(ulong address, ReadOnlySpan<byte> data) => Vm.WriteMemory(address, data);

    public byte[] Read(ulong address, int length)
    {
        var data = new byte[length];
        Vm.ReadMemory(address, data);
        return data;
    }

    public void Dispose() => _kvm.Dispose();
}

using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Svm;

namespace Akvam.KvmTests.Nested;

/// <summary>
/// A VM whose vCPU is a hypervisor in 64-bit mode: VMRUN, then HLT, which leaves to the client. L2's code is the test's; it shares L1's page tables.
/// </summary>
internal sealed unsafe class Hypervisor : IDisposable
{
    public const ulong Vmcb = 0x6000, HostSave = 0x7000, L2Code = 0x1800, L2Stack = 0x8000, Iopm = 0xA000, Msrpm = 0xD000, Idt = 0x5000, Handler = 0x1C00;
    public const ulong AfterVmrun = Guest.CodeAddress + 3;
    public const uint MsrHostSave = 0xC001_0117;
    private const int PageSize = 4096;

    private readonly Kvm _kvm = Kvm.Open(nested: true);

    public Hypervisor(ReadOnlySpan<byte> l2, EngineKind engine = EngineKind.Interpreter)
    {
        // vmrun; hlt; jmp $-1
        Guest = new Guest([0x0F, 0x01, 0xD8, 0xF4, 0xEB, 0xFD], _kvm, new VmOptions { Engine = engine });
        kvm_sregs sregs = LongMode.Sregs(Guest, cpl: 0);
        sregs.efer |= 1 << 12;
        sregs.tr = new kvm_segment { type = 11, present = 1, limit = 0xFF, selector = 0x30 };
        Vcpu.SetSregs(sregs);
        Vcpu.SetMsrs([new kvm_msr_entry { index = MsrHostSave, data = HostSave }]);
        Vcpu.SetRegs(new kvm_regs { rip = Guest.CodeAddress, rsp = 0x9000, rflags = 2, rax = Vmcb });
        Guest.Write(L2Code, l2);

        VmcbSegment code = new() { Selector = 8, Attributes = 0xA9B, Limit = uint.MaxValue }, data = new() { Selector = 16, Attributes = 0xC93, Limit = uint.MaxValue };
        var control = new VmcbControl { Asid = 1, IopmBase = Iopm, MsrpmBase = Msrpm };
        Intercept(ref control, SvmExitCode.Vmrun);
        Intercept(ref control, SvmExitCode.Vmmcall);
        Control = control;
        Save = new VmcbSave
        {
            Cs = code,
            Ds = data,
            Es = data,
            Ss = data,
            Idtr = new VmcbSegment { Base = Idt, Limit = 0xFFF },
            Efer = sregs.efer,
            Cr0 = sregs.cr0,
            Cr3 = sregs.cr3,
            Cr4 = sregs.cr4,
            Dr6 = 0xFFFF_0FF0,
            Dr7 = 0x400,
            Rflags = 2,
            Rip = L2Code,
            Rsp = L2Stack,
            Rax = 0x1234,
        };
    }

    public Guest Guest { get; }

    public Vcpu Vcpu => Guest.Vcpu;

    /// <summary>The control area as it is in guest memory.</summary>
    public VmcbControl Control
    {
        get => Get<VmcbControl>(Vmcb);
        set => Put(Vmcb, in value);
    }

    /// <summary>The save area as it is in guest memory.</summary>
    public VmcbSave Save
    {
        get => Get<VmcbSave>(Vmcb + VmcbSave.Offset);
        set => Put(Vmcb + VmcbSave.Offset, in value);
    }

    public bool InGuest => (Vcpu.GetNestedState()[0] & KvmState.KVM_STATE_NESTED_GUEST_MODE) != 0;

    public bool Gif => (MemoryMarshal.Read<ushort>(Vcpu.GetNestedState()) & KvmState.KVM_STATE_NESTED_GIF_SET) != 0;

    public static void Intercept(ref VmcbControl c, uint exitCode) => c.Intercepts[exitCode >> 5] |= 1u << (int)(exitCode & 31);

    public void Intercept(params ReadOnlySpan<uint> exitCodes)
    {
        VmcbControl c = Control;
        foreach (uint code in exitCodes)
        {
            Intercept(ref c, code);
        }

        Control = c;
    }

    /// <summary>Runs until L1's HLT; <see cref="Control"/> and <see cref="Save"/> say why.</summary>
    public VmcbControl RunToExit()
    {
        VcpuExit exit = Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_HLT, exit.Reason);
        Assert.False(InGuest);
        return Control;
    }

    /// <summary>An interrupt gate of L2's IDT to <see cref="Handler"/>, where <paramref name="code"/> goes.</summary>
    public void Handle(int vector, ReadOnlySpan<byte> code)
    {
        Guest.Write(Idt + ((ulong)vector * 16), BitConverter.GetBytes((Handler & 0xFFFF) | (8ul << 16) | (0x8Eul << 40)));
        Guest.Write(Handler, code);

        // The gate's CS is loaded from L2's GDT.
        VmcbSave save = Save;
        save.Gdtr = new VmcbSegment { Base = 0x5F00, Limit = 0xFF };
        Save = save;
        Guest.Write(0x5F08, BitConverter.GetBytes(0x00AF_9B00_0000_FFFFul));
    }

    public void Dispose()
    {
        Guest.Dispose();
        _kvm.Dispose();
    }

    private T Get<T>(ulong address)
        where T : unmanaged => MemoryMarshal.Read<T>(Guest.Read(address, Math.Min(sizeof(T), PageSize)));

    private void Put<T>(ulong address, in T value)
        where T : unmanaged => Guest.Write(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}

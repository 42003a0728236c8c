using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Debugger.Lockstep;

namespace Akvam.Tests.Debugger;

/// <summary>64 KiB of RAM and a vCPU in 64-bit code that runs a loop of a thousand turns, says so by an OUT, and begins again.</summary>
internal sealed partial class LoopMachine : ICheckedMachine
{
    public const ulong LoopAddress = 0x1005, Scratch = 0x8000;
    public const uint Constant = 0x1234_5678;

    private const int Rounds = 4, PageSize = 4096, ReadWriteExecute = 7;
    private const ulong Size = 0x1_0000, Pml4 = 0x2000, Pdpt = 0x3000, Pd = 0x4000;

    /// <summary>mov ecx, 1000; (1005) add eax, 12345678h; add [8000h], ebx; add ebx, eax; dec ecx; jnz 1005; out 10h, al; in al, 11h; jmp 1000.</summary>
    private static readonly byte[] s_code =
    [
        0xB9, 0xE8, 0x03, 0, 0, 0x05, 0x78, 0x56, 0x34, 0x12, 0x01, 0x1C, 0x25, 0x00, 0x80, 0, 0, 0x01, 0xC3, 0xFF, 0xC9, 0x75, 0xEE, 0xE6, 0x10, 0xE4, 0x11, 0xEB, 0xE3,
    ];

    private readonly Kvm _kvm = Kvm.Open();
    private readonly Vcpu _vcpu;
    private readonly GuestMemory _memory;
    private readonly Action<LoopMachine, int>? _afterRound;
    private int _rounds;

    /// <param name="engine">The part it plays.</param>
    /// <param name="afterRound">Called after each round with its number from 1, or null.</param>
    public LoopMachine(CheckedEngine engine, Action<LoopMachine, int>? afterRound = null)
    {
        _afterRound = afterRound;
        Vm vm = _kvm.CreateVm(new VmOptions { KeepTranslations = true }.WithVirtualTime(Time).WithEngine(engine == CheckedEngine.Reference ? "interpreter" : "translator"));
        vm.CreateIrqchip();
        _memory = vm.AddMemory(0, Size);
        _vcpu = vm.CreateVcpu();
        _vcpu.SetCpuid2(_kvm.GetSupportedCpuid());
        s_code.CopyTo(_memory.Span(0x1000, s_code.Length));
        Entry(Pml4, Pdpt | 3);
        Entry(Pdpt, Pd | 3);
        Entry(Pd, 0x83);
        kvm_sregs sregs = _vcpu.GetSregs();
        sregs.cr0 = 0x8000_0011;
        sregs.cr3 = Pml4;
        sregs.cr4 = 0x20;
        sregs.efer = 0x500;
        sregs.cs = new kvm_segment { limit = uint.MaxValue, selector = 8, type = 11, present = 1, s = 1, l = 1, g = 1 };
        _vcpu.SetSregs(sregs);
        _vcpu.SetRegs(new kvm_regs { rip = 0x1000, rsp = 0x7000, rflags = 2 });
        Memory = [new(0, _memory)];
    }

    public IReadOnlyList<Vcpu> Vcpus => [_vcpu];

    public VirtualTime Time { get; } = new();

    public IReadOnlyList<KeyValuePair<ulong, GuestMemory>> Memory { get; }

    /// <summary>What it says it sent.</summary>
    public ulong OutputHash { get; set; }

    public string? End => _rounds == Rounds ? "done" : null;

    /// <summary>What the next IN reads.</summary>
    public byte Input { get; set; }

    public void Serve(int vcpu, VcpuExit exit)
    {
        if (exit.Io.IsWrite)
        {
            _rounds++;
            _afterRound?.Invoke(this, _rounds);
        }
        else
        {
            exit.Io.Reply(Input);
        }
    }

    public void Dispose() => _kvm.Dispose();

    /// <summary>Changes the host code that was made of the loop: it adds another constant.</summary>
    public void BreakTranslation()
    {
        string listing = _vcpu.DescribeTranslation(LoopAddress) ?? throw new InvalidOperationException("the loop was not translated");
        string host = listing[listing.IndexOf(" host:", StringComparison.Ordinal)..];
        foreach (string line in host.Split('\n').Where(l => l.Contains("78563412", StringComparison.Ordinal)))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            nint address = nint.Parse(words[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture) + (words[1].IndexOf("78563412", StringComparison.Ordinal) / 2);
            if (mprotect(address & ~(PageSize - 1), 2 * PageSize, ReadWriteExecute) != 0)
            {
                throw new InvalidOperationException("the host does not let its code be changed");
            }

            Marshal.WriteInt32(address, unchecked((int)(Constant + 1)));
        }
    }

    public void BreakMemory() => _memory.Span(Scratch + 0x100, 1)[0] ^= 1;

    private void Entry(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_memory.Span(address, 8), value);

    [LibraryImport("libc")]
    private static partial int mprotect(nint address, nint length, int protection);
}

using System.Diagnostics;
using System.Reflection;
using Akvam.Abi;

namespace Akvam.Machine.Demo;

/// <summary>Runs the demo's guest on two processors and keeps what happened.</summary>
/// <remarks>It uses the library as any client would, on one thread: processor 1 runs when processor 0 has started it.</remarks>
public sealed class DemoGuest
{
    private const ulong LoadAddress = 0x8000, MemoryBytes = 1 << 20;
    private const ushort EventPort = 0x510, ApmPort = 0xB2;
    private const byte SecondStarted = 0x09, End = 0xFF;

    /// <summary>Far more than the guest needs, so that a guest gone astray ends too.</summary>
    private const ulong MaximumInstructions = 1_000_000;

    /// <summary>What has to happen, in this order; the demo is its own check.</summary>
    private static readonly byte[] s_expected =
        [0x01, 0x20, 0x02, 0x03, 0x21, 0x04, 0x05, 0x22, 0x06, 0x07, 0x23, 0x08, 0x09, 0x10, 0x24, 0xFF];

    private readonly List<DemoEvent> _events = [];
    private readonly List<byte> _codes = [];
    private readonly EventTrace? _trace;
    private long _start;
    private string? _failure;
    private bool _shutDown;

    /// <param name="trace">Takes a line for each exit, or null.</param>
    public DemoGuest(EventTrace? trace = null) => _trace = trace;

    /// <summary>What happened.</summary>
    public IReadOnlyList<DemoEvent> Events => _events;

    /// <summary>What went wrong, or null when everything happened as it should.</summary>
    public string? Failure => _failure ?? (!_shutDown ? "processor 1 did not shut down" : _codes.SequenceEqual(s_expected) ? null
        : $"the steps were {string.Join(' ', _codes.Select(c => c.ToString("X2")))}");

    /// <summary>Runs the guest to its end.</summary>
    public void Run()
    {
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        vm.CreateIrqchip();
        GuestMemory memory = vm.AllocateMemory(MemoryBytes);
        vm.MapMemory(0, 0, memory);
        vm.MapMemory(1u << 16, 0, memory);          // processors in SMM see the same RAM
        byte[] code = Code();
        code.CopyTo(memory.Span(LoadAddress, code.Length));

        kvm_cpuid_entry2[] cpuid = kvm.GetSupportedCpuid();
        var vcpus = new Vcpu[2];
        for (uint i = 0; i < vcpus.Length; i++)
        {
            vcpus[i] = vm.CreateVcpu(i);
            vcpus[i].SetCpuid2(ProcessorSetup.Cpuid(cpuid, i, vcpus.Length));
            if (_trace is { } trace)
            {
                uint id = i;
                vcpus[i].Trace = (name, fields) => trace.Write(id, name, fields);
            }
        }

        ProcessorSetup.Apply(vcpus[0], new Loading.StartState(Loading.StartMode.Real, LoadAddress));
        _start = Stopwatch.GetTimestamp();
        RunUntil(vcpus[0], SecondStarted);
        if (_failure is null)
        {
            RunUntil(vcpus[1], End);
            RunUntil(vcpus[0], End);
        }
    }

    private static byte[] Code()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Akvam.Machine.demo.bin")
            ?? throw new InvalidOperationException("the demo's guest is missing from the assembly");
        byte[] code = new byte[stream.Length];
        stream.ReadExactly(code);
        return code;
    }

    private void RunUntil(Vcpu vcpu, byte last)
    {
        while (_failure is null)
        {
            VcpuExit exit = vcpu.Run(MaximumInstructions);
            switch (exit.Reason)
            {
                case KvmExit.KVM_EXIT_IO when exit.Io.IsWrite && exit.Io.Port == EventPort:
                    byte code = (byte)exit.Io.Value;
                    Take(vcpu, code, exit.InSmm);
                    if (code == last)
                    {
                        return;
                    }

                    break;
                case KvmExit.KVM_EXIT_IO when exit.Io.IsWrite && exit.Io.Port == ApmPort:
                    vcpu.Smi();
                    break;
                case KvmExit.KVM_EXIT_SHUTDOWN when vcpu.Id == 1:
                    _shutDown = true;
                    Add(vcpu, exit.InSmm, "RSM refuses that: shutdown, as planned");
                    return;
                default:
                    Add(vcpu, exit.InSmm, $"stopped for reason {exit.Reason}");
                    _failure = $"processor {vcpu.Id} stopped for reason {exit.Reason}";
                    break;
            }
        }
    }

    private void Take(Vcpu vcpu, byte code, bool inSmm)
    {
        _codes.Add(code);
        kvm_regs r = vcpu.GetRegs();
        string text = code switch
        {
            0x01 => "the first instructions; SMM handlers installed",
            0x20 => "SMI at SMBASE 30000h; the handler moves it to 40000h",
            0x02 => "resumed behind the OUT that raised the SMI",
            0x03 => "protected mode entered; EAX = 11112222h",
            0x21 => "SMI at SMBASE 40000h; saved EAX += 1000h",
            0x04 => $"resumed; EAX = {(uint)r.rbx:X8}h",
            0x05 => "long mode entered; R15 = 1122334455667788h",
            0x22 => "SMI; saved R15 inverted, saved RIP moved",
            0x06 => $"resumed elsewhere; R15 = {r.rbx:X16}h",
            0x07 => "compatibility mode entered",
            0x23 => "SMI; nothing changed",
            0x08 => "resumed where it was",
            0x09 => "INIT and STARTUP sent to processor 1",
            0x10 => "processor 1 runs; its SMBASE is still 30000h",
            0x24 => "SMI; saved CR0 spoilt: paging without protection",
            0xFF => "the end; processor 0 is as well as before",
            _ => $"step {code:X2}h, which should not happen",
        };
        Add(vcpu, inSmm, text);
        if (code == 0x04 && (uint)r.rbx != 0x1111_3222)
        {
            _failure = "the change of EAX in the save state was lost";
        }
        else if (code == 0x06 && r.rbx != 0xEEDD_CCBB_AA99_8877)
        {
            _failure = "the change of R15 in the save state was lost";
        }
    }

    private void Add(Vcpu vcpu, bool inSmm, string text)
    {
        kvm_regs r = vcpu.GetRegs();
        kvm_sregs s = vcpu.GetSregs();
        string mode = ProcessorReport.Mode(in r, in s);
        _events.Add(new DemoEvent(Stopwatch.GetElapsedTime(_start), vcpu.Id, mode, inSmm, r.rip, text));
        _trace?.Write(vcpu.Id, "akvam_demo", $"{mode}{(inSmm ? " smm" : "")} rip 0x{r.rip:x} {text}");
    }
}

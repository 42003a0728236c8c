using Akvam.Abi;
using Akvam.Machine.Devices;
using Akvam.Machine.Firmware;
using Akvam.Machine.Loading;

namespace Akvam.Machine;

/// <summary>A small PC: i440FX-like board, serial console, processors and interrupt controllers from the library.</summary>
/// <remarks>One use: create, load one image, <see cref="Start"/>, <see cref="Wait"/>, dispose.</remarks>
public sealed class Pc : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly PcOptions _options;
    private readonly Kvm _kvm;
    private readonly Vm _vm;
    private readonly PcMemory _memory;
    private readonly DeviceGate _gate = new();
    private readonly ManualResetEventSlim _ended = new();
    private readonly kvm_cpuid_entry2[] _cpuid;

    private PcDevices? _devices;
    private bool _stuck;
    private VcpuRunner[] _runners = [];

    /// <summary>Makes the board with its memory and processors.</summary>
    /// <exception cref="KvmException">The host cannot give what is asked for.</exception>
    public Pc(PcOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options = options.VirtualTime is { } time ? options with { Time = time } : options;
        Control.Ended += OnEnded;
        _kvm = Kvm.Open();
        _vm = _kvm.CreateVm(VmOptions(options));
        _vm.CreateIrqchip();
        // Port 61h belongs to the timer: guests time themselves against its channel 2.
        _vm.CreatePit2(new kvm_pit_config { flags = KvmIrq.KVM_PIT_SPEAKER_DUMMY });

        // A trace shows every access as an exit.
        _vm.PortHandler = options.Trace is null ? _gate : null;
        _memory = new PcMemory(_vm, new GuestLayout((ulong)options.MemoryMegabytes << 20));
        _cpuid = _kvm.GetSupportedCpuid();
    }

    /// <summary>Ends the machine from outside, and tells how it ended.</summary>
    public BoardControl Control { get; } = new();

    /// <summary>The processors; none before an image is loaded.</summary>
    public IEnumerable<Vcpu> Processors => _runners.Select(r => r.Vcpu);

    /// <summary>The guest's RAM.</summary>
    public IGuestMemory Memory => _memory;

    /// <summary>Its processors, for a client that runs them itself instead of calling <see cref="Start"/>; see <see cref="Serve"/>.</summary>
    public IReadOnlyList<Vcpu> Vcpus => [.. _runners.Select(r => r.Vcpu)];

    /// <summary>Everything that is memory to the guest, with its guest-physical address.</summary>
    public IReadOnlyList<KeyValuePair<ulong, GuestMemory>> MemoryPieces => _memory.Pieces;

    /// <summary>Serves an exit of a processor that the client runs itself.</summary>
    public void Serve(int vcpu, VcpuExit exit) => _runners[vcpu].Take(exit);

    /// <summary>Loads a Linux kernel and the tables it reads.</summary>
    /// <exception cref="MachineException">The image is bad or does not fit.</exception>
    public void LoadLinux(GuestImage image, LinuxBoot boot)
    {
        ulong rsdp = WriteFirmwareTables();
        LinuxBoot with = boot with { RsdpAddress = rsdp };
        StartState start = image.Kind switch
        {
            ImageKind.LinuxBzImage => LinuxLoader.LoadBzImage(image, _memory, with),
            ImageKind.LinuxElf => LinuxLoader.LoadElf(image, _memory, with),
            _ => throw new MachineException($"{image.Name}: is not a Linux kernel; try 'akvam run'"),
        };
        Assemble(start, configured: true);
    }

    /// <summary>Loads any image by its kind.</summary>
    /// <param name="image">The image.</param>
    /// <param name="arguments">The command line of images that take one.</param>
    /// <exception cref="MachineException">The image is bad or does not fit.</exception>
    public void Load(GuestImage image, string arguments)
    {
        switch (image.Kind)
        {
            case ImageKind.LinuxBzImage or ImageKind.LinuxElf:
                LoadLinux(image, new LinuxBoot(arguments));
                break;
            case ImageKind.Multiboot:
                WriteFirmwareTables();
                Assemble(MultibootLoader.Load(image, _memory, arguments), configured: true);
                break;
            case ImageKind.Flat:
                WriteFirmwareTables();
                Assemble(FlatLoader.Load(image, _memory), configured: true);
                break;
            default:
                _memory.AddRom(image.Bytes);
                Assemble(FirmwareLoader.Load(image, _memory), configured: false);
                break;
        }
    }

    /// <summary>Sets the processors going.</summary>
    public void Start()
    {
        foreach (VcpuRunner runner in _runners)
        {
            runner.Start();
        }
    }

    /// <summary>Waits for the machine's end and for its processors to stop.</summary>
    public MachineEnd Wait()
    {
        _ended.Wait();
        foreach (VcpuRunner runner in _runners)
        {
            runner.Kick();
        }

        foreach (VcpuRunner runner in _runners)
        {
            _stuck |= !runner.Join(s_patience);
        }

        return Control.End!;
    }

    /// <summary>Tells the serial port that there is input.</summary>
    public void PollSerial()
    {
        using (_gate.Lock.Enter())
        {
            _devices?.Serial.Poll();
        }
    }

    /// <summary>Asks every processor for its state, without stopping it for longer than that takes.</summary>
    /// <param name="takeReport">Called once for each processor, on its thread.</param>
    public void RequestReports(Action<string> takeReport)
    {
        foreach (VcpuRunner runner in _runners)
        {
            runner.RequestReport(takeReport);
        }
    }

    /// <summary>What the engine of each processor did; they have to stand still, as after <see cref="Wait"/>.</summary>
    public string DescribeEngines() =>
        string.Join(Environment.NewLine, _runners.Select(r => (_runners.Length > 1 ? $"vCPU {r.Vcpu.Id}: " : "") + r.Vcpu.EngineReport));

    public void Dispose()
    {
        Control.Finish(new MachineEnd(MachineEndKind.Quit, 0, "disposed"));
        Wait();
        _devices?.Dispose();
        if (_stuck)
        {
            return;         // its thread holds what disposing would wait for; it ends with the process
        }

        _vm.Dispose();
        _kvm.Dispose();
    }

    private ulong WriteFirmwareTables()
    {
        BiosData.Write(_memory);
        kvm_cpuid_entry2 identity = Array.Find(_cpuid, e => e.function == 1);
        MpTable.Write(_memory, _options.Cpus, identity.eax, identity.edx);
        return AcpiTables.Write(_memory, _options.Cpus, PowerFunction.DefaultPmBase);
    }

    private void Assemble(StartState start, bool configured)
    {
        _devices = new PcDevices(_options, Control, _gate, Irq, _memory.SetSmram, configured);
        var runners = new VcpuRunner[_options.Cpus];
        for (int i = 0; i < runners.Length; i++)
        {
            Vcpu vcpu = _vm.CreateVcpu((uint)i);
            vcpu.SetCpuid2(ProcessorSetup.Cpuid(_cpuid, (uint)i, _options.Cpus));
            runners[i] = new VcpuRunner(vcpu, _gate, Control, _options.Trace);
        }

        ProcessorSetup.Apply(runners[0].Vcpu, start);

        // Other threads may ask for them already.
        Volatile.Write(ref _runners, runners);
    }

    private static VmOptions VmOptions(PcOptions options)
    {
        var with = new VmOptions { KeepTranslations = options.KeepTranslations };
        with = options.VirtualTime is { } time ? with.WithVirtualTime(time) : with;
        with = options.Engine is { } engine ? with.WithEngine(engine) : with;
        return options.DumpBlocks is { } folder ? with with { DumpBlocks = folder } : with;
    }

    private IrqLine Irq(int line) => asserted => _vm.IrqLine((uint)line, asserted);

    private void OnEnded()
    {
        _ended.Set();
        foreach (VcpuRunner runner in _runners)
        {
            runner.Kick();
        }
    }
}

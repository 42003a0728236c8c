using System.Text;
using Akvam.Debugger.Lockstep;
using Akvam.Machine;
using Akvam.Machine.Devices;

namespace Akvam.Cli.Checking;

/// <summary>A PC that the lockstep checker runs.</summary>
internal sealed class CheckedPc : ICheckedMachine
{
    private const ulong HashFactor = 0x9E37_79B9_7F4A_7C15;

    private readonly Pc _pc;
    private readonly StringBuilder _line = new();
    private readonly Action<byte>? _output;
    private readonly string? _marker;
    private string? _seen;

    /// <param name="engine">The part it plays.</param>
    /// <param name="memory">MiB of memory.</param>
    /// <param name="cpus">Processors.</param>
    /// <param name="marker">A text in the serial output that ends it, or null.</param>
    /// <param name="output">Takes the serial output, or null.</param>
    /// <param name="load">Loads the guest.</param>
    public CheckedPc(CheckedEngine engine, int memory, int cpus, string? marker, Action<byte>? output, Action<Pc> load)
    {
        _marker = marker;
        _output = output;
        _pc = new Pc(new PcOptions
        {
            MemoryMegabytes = memory,
            Cpus = cpus,
            Engine = engine == CheckedEngine.Reference ? "interpreter" : "translator",
            SerialInput = new SerialQueue(),
            SerialOutput = TakeOutput,
            DebugOutput = TakeOutput,
            VirtualTime = Time,
            KeepTranslations = true,
        });
        load(_pc);
        Vcpus = _pc.Vcpus;
    }

    public IReadOnlyList<Vcpu> Vcpus { get; }

    public VirtualTime Time { get; } = new();

    public IReadOnlyList<KeyValuePair<ulong, GuestMemory>> Memory => _pc.MemoryPieces;

    public ulong OutputHash { get; private set; }

    public string? End => _seen ?? (_pc.Control.End is { } end ? $"{end.Kind} {end.Code}".ToLowerInvariant() : null);

    public void Serve(int vcpu, VcpuExit exit) => _pc.Serve(vcpu, exit);

    public void Dispose() => _pc.Dispose();

    private void TakeOutput(byte value)
    {
        OutputHash = (OutputHash * HashFactor) + value + 1;
        _output?.Invoke(value);
        if (_marker is null)
        {
            return;
        }

        _line.Append((char)value);
        if (value == (byte)'\n')
        {
            _line.Clear();
        }
        else if (value == (byte)_marker[^1] && _line.ToString().Contains(_marker, StringComparison.Ordinal))
        {
            _seen = $"the guest printed '{_marker}'";
        }
    }
}

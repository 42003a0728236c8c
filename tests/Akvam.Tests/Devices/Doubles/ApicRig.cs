using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>A bus with some local APICs, software-enabled, at a manual time.</summary>
internal sealed class ApicRig
{
    private readonly List<RecordingLapicHost> _hosts = [];
    private readonly List<Lapic> _lapics = [];

    /// <param name="ids">One APIC each; the first boots.</param>
    /// <param name="options">Of all of them.</param>
    /// <param name="enable">Set the software enable bit, which reset leaves clear.</param>
    public ApicRig(uint[]? ids = null, LapicOptions? options = null, bool enable = true)
    {
        Tsc = new ManualTsc(Time);
        foreach (uint id in ids ?? [0])
        {
            var host = new RecordingLapicHost();
            var lapic = new Lapic(id, _lapics.Count == 0, Bus, host, Time, Tsc, Time, options);
            if (enable)
            {
                lapic.WriteXApic(LapicRegister.Svr, 0x1FF);
            }

            host.Events.Clear();
            _hosts.Add(host);
            _lapics.Add(lapic);
        }
    }

    public ManualTime Time { get; } = new();

    public ManualTsc Tsc { get; }

    public ApicBus Bus { get; } = new();

    public Lapic Lapic => _lapics[0];

    public RecordingLapicHost Host => _hosts[0];

    public Lapic this[int index] => _lapics[index];

    public RecordingLapicHost HostOf(int index) => _hosts[index];

    /// <summary>Ids of the APICs that have this vector deliverable.</summary>
    public uint[] Receivers(byte vector) => [.. _lapics.Where(l => l.PendingVector == vector).Select(l => l.InitialId)];

    /// <summary>Sends a fixed interrupt to one APIC's physical id.</summary>
    public void Interrupt(byte vector, uint id = 0, bool level = false) => Bus.Send(new ApicMessage
    {
        Destination = id,
        Mode = DeliveryMode.Fixed,
        Vector = vector,
        LevelTriggered = level,
        Assert = true,
    });

    /// <summary>Enables and switches to x2APIC mode, as the guest does.</summary>
    public void EnterX2Apic(int index = 0)
    {
        Lapic lapic = _lapics[index];
        Assert.True(lapic.TrySetBase(lapic.Base | X2ApicBit, fromHost: false));
    }

    private const ulong X2ApicBit = Akvam.Devices.Lapic.BaseX2Apic;
}

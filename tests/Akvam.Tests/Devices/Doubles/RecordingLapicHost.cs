using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Writes down what a local APIC tells its processor.</summary>
internal sealed class RecordingLapicHost : ILapicHost
{
    public List<string> Events { get; } = [];

    public int Interrupts { get; private set; }

    public void InterruptPending() => Interrupts++;

    public void ExtInt() => Events.Add("EXTINT");

    public void Nmi() => Events.Add("NMI");

    public void Smi() => Events.Add("SMI");

    public void Init() => Events.Add("INIT");

    public void Sipi(byte vector) => Events.Add($"SIPI {vector:X2}");
}

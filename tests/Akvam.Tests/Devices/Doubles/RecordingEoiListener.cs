using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Writes down EOI messages of all vectors but one.</summary>
internal sealed class RecordingEoiListener(byte ignored = 0) : IEoiListener
{
    public List<(byte Vector, bool Level, bool Suppressed)> Messages { get; } = [];

    public bool HandlesVector(byte vector) => vector != ignored;

    public void Eoi(Lapic source, byte vector, bool levelTriggered, bool broadcastSuppressed) =>
        Messages.Add((vector, levelTriggered, broadcastSuppressed));
}

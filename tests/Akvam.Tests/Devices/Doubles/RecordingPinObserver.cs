using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Writes down what software did to GSIs.</summary>
internal sealed class RecordingPinObserver
{
    public RecordingPinObserver(IrqRouter router, int gsi)
    {
        router.AddAckNotifier(gsi, () => Events.Add("ack"));
        router.AddMaskNotifier(gsi, masked => Events.Add(masked ? "mask" : "unmask"));
    }

    public List<string> Events { get; } = [];
}

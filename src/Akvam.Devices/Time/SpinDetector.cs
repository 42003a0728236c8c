namespace Akvam.Devices;

/// <summary>Tells a guest that waits in a loop from one that executes a PAUSE now and then, as the processor's pause-loop exits do for KVM. [SDM3 25.1.3]</summary>
/// <param name="pausesTold">How many PAUSE instructions there are between two calls.</param>
public struct SpinDetector(uint pausesTold)
{
    /// <summary>PAUSE instructions of a loop lie no farther apart; and after so many close together nobody expects the next one to be the last.</summary>
    private const ulong MostNsBetween = 400;
    private const uint Many = 1024;

    private readonly ulong _mostNs = MostNsBetween * pausesTold;
    private ulong _lastNs;
    private uint _close;

    /// <summary>There were more. True: it is a loop, and the host may sleep. Where no time passes, as in virtual time, it never is.</summary>
    public bool Note(ulong nowNs)
    {
        ulong passed = nowNs - _lastNs;
        _close = passed != 0 && passed <= _mostNs ? _close + pausesTold : 0;
        _lastNs = nowNs;
        return _close >= Many;
    }

    /// <summary>The host slept until now.</summary>
    public void Slept(ulong nowNs) => _lastNs = nowNs;
}

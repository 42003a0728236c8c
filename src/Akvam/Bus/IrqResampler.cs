using Akvam.Devices;

namespace Akvam;

/// <summary>What the resampling irqfds of one GSI share: when the guest ends the interrupt, the line goes down and every one of them is told. [KVM 4.75]</summary>
internal sealed class IrqResampler : IDisposable
{
    private readonly IrqRouter _router;
    private readonly uint _gsi;
    private readonly IDisposable _notifier;
    private IrqFd[] _members = [];

    public IrqResampler(IrqRouter router, uint gsi)
    {
        _router = router;
        _gsi = gsi;
        _notifier = router.AddAckNotifier((int)gsi, Ended);
    }

    public bool IsEmpty => _members.Length == 0;

    public void Add(IrqFd member) => Volatile.Write(ref _members, [.. _members, member]);

    public void Remove(IrqFd member) => Volatile.Write(ref _members, Array.FindAll(_members, m => m != member));

    public void Dispose()
    {
        _notifier.Dispose();
        _router.SetLine((int)_gsi, IrqSource.Resample, level: false);
    }

    private void Ended()
    {
        _router.SetLine((int)_gsi, IrqSource.Resample, level: false);
        foreach (IrqFd member in Volatile.Read(ref _members))
        {
            member.ResampleFile?.Signal();
        }
    }
}

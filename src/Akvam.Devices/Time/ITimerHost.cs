namespace Akvam.Devices;

/// <summary>Makes timers. One host serves every device of a VM.</summary>
public interface ITimerHost
{
    /// <summary>A disarmed timer that runs <paramref name="onDue"/> once each time its deadline passes.</summary>
    /// <param name="onDue">Runs on the host's timer thread, with no lock of the host held; must not block or throw.</param>
    IDeviceTimer CreateTimer(Action onDue);
}

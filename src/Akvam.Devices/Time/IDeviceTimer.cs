namespace Akvam.Devices;

/// <summary>One timer with at most one deadline. Arming is cheap: guests do it thousands of times a second.</summary>
/// <remarks>
/// Any thread may call. A callback that is already on its way when the timer is cancelled or re-armed still runs, so the device
/// checks its own state when called. Disposing cancels for good.
/// </remarks>
public interface IDeviceTimer : IDisposable
{
    /// <summary>Replaces the deadline, in nanoseconds of the host's <see cref="IClock"/>. A deadline in the past runs the callback at once.</summary>
    void Arm(ulong deadlineNs);

    /// <summary>Drops the deadline.</summary>
    void Cancel();
}

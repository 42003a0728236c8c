namespace Akvam.Devices;

/// <summary>The time-stamp counter of one vCPU, as its guest reads it.</summary>
/// <remarks>Called from the vCPU's thread and from timer threads.</remarks>
public interface ITscSource
{
    /// <summary>The guest's TSC now.</summary>
    ulong ReadTsc();

    /// <summary>
    /// The <see cref="IClock"/> time at which the guest's TSC reaches <paramref name="tsc"/>, rounded up; a time in the past
    /// if it already has, <see cref="ulong.MaxValue"/> if it never will.
    /// </summary>
    ulong DeadlineToNs(ulong tsc);
}

namespace Akvam.Debugger.Lockstep;

/// <summary>One of the two machines that are compared. It is deterministic: all of its time is <see cref="Time"/>, and it has no input from outside. Its interrupt controllers are the library's.</summary>
public interface ICheckedMachine : IDisposable
{
    IReadOnlyList<Vcpu> Vcpus { get; }

    VirtualTime Time { get; }

    /// <summary>All memory, with its guest-physical address.</summary>
    IReadOnlyList<KeyValuePair<ulong, GuestMemory>> Memory { get; }

    /// <summary>A hash of everything that its devices sent to the outside.</summary>
    ulong OutputHash { get; }

    /// <summary>How it ended, for people; null while it runs.</summary>
    string? End { get; }

    /// <summary>Serves an exit.</summary>
    /// <param name="vcpu">Index in <see cref="Vcpus"/>.</param>
    /// <param name="exit">The exit.</param>
    void Serve(int vcpu, VcpuExit exit);
}

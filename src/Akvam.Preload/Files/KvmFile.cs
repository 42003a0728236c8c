namespace Akvam.Preload;

/// <summary>What one KVM descriptor, and its duplicates, stand for.</summary>
internal abstract class KvmFile(Descriptors descriptors)
{
    /// <summary>Makes further descriptors.</summary>
    public Descriptors Descriptors { get; } = descriptors;

    /// <summary>The memory of the client.</summary>
    public ClientMemory Client => Descriptors.Client;

    /// <summary>The result of an ioctl, or a negative errno.</summary>
    /// <exception cref="KvmException">Another way to say an errno.</exception>
    public abstract long Ioctl(uint request, ulong argument);

    /// <summary>The last descriptor is closed, and no call is in progress.</summary>
    public abstract void Close();
}

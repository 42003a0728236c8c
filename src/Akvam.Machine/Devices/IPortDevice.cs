namespace Akvam.Machine.Devices;

/// <summary>A device behind x86 I/O ports.</summary>
/// <remarks>Calls come under the machine's device lock, so an implementation needs no locking of its own, unless it is mapped <see cref="InsideAccess.Unlocked"/>.</remarks>
public interface IPortDevice
{
    /// <summary>Reads <paramref name="size"/> (1, 2 or 4) bytes at <paramref name="port"/>, zero-extended.</summary>
    uint Read(ushort port, int size);

    /// <summary>Writes the low <paramref name="size"/> (1, 2 or 4) bytes of <paramref name="value"/>.</summary>
    void Write(ushort port, int size, uint value);
}

namespace Akvam.Machine.Devices;

/// <summary>Port F4h: writing V ends the machine with exit code (V &lt;&lt; 1) | 1, as QEMU's isa-debug-exit does.</summary>
/// <remarks>A process keeps eight bits of an exit code, so V = 10h gives 21h.</remarks>
public sealed class DebugExit(BoardControl control) : IPortDevice
{
    public uint Read(ushort port, int size) => 0;

    public void Write(ushort port, int size, uint value) => control.RequestDebugExit((int)(((value << 1) | 1) & 0xFF));
}

namespace Akvam.Machine.Devices;

/// <summary>A debug console port: E9h as Bochs has it, 402h as firmware for QEMU uses it.</summary>
/// <param name="signature">What the port reads as, by which guests detect it: E9h for both known ones.</param>
/// <param name="output">Takes each character.</param>
public sealed class DebugConsole(byte signature, Action<byte> output) : IPortDevice
{
    public uint Read(ushort port, int size) => signature;

    public void Write(ushort port, int size, uint value) => output((byte)value);
}

namespace Akvam.Machine.Devices;

/// <summary>Port 92h, "system control port A": the fast A20 gate (bit 1) and the fast reset (bit 0, on a rising edge).</summary>
public sealed class SystemControlPort(BoardControl control) : IPortDevice
{
    private byte _rest;

    public uint Read(ushort port, int size) => (uint)(_rest | (control.A20 ? 2 : 0));

    public void Write(ushort port, int size, uint value)
    {
        control.A20 = (value & 2) != 0;
        bool reset = (value & ~(uint)_rest & 1) != 0;
        _rest = (byte)(value & 0xFD);
        if (reset)
        {
            control.RequestReset("port 92h");
        }
    }
}

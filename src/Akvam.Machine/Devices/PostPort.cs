namespace Akvam.Machine.Devices;

/// <summary>Port 80h: the code of the last power-on self-test step, kept for reports.</summary>
public sealed class PostPort : IPortDevice
{
    /// <summary>The last code written.</summary>
    public byte Code { get; private set; }

    public uint Read(ushort port, int size) => Code;

    public void Write(ushort port, int size, uint value) => Code = (byte)value;
}

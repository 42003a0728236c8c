namespace Akvam.Machine.Devices;

/// <summary>The APM ports: B2h (command) raises an SMI when the chipset says so, B3h (status) is a byte of storage.</summary>
/// <param name="enabled">Whether a command raises an SMI now.</param>
/// <param name="raiseSmi">Raises it on the processor that wrote, before that processor goes on.</param>
public sealed class ApmPorts(Func<bool> enabled, Action raiseSmi) : IPortDevice
{
    private byte _command;
    private byte _status;

    public uint Read(ushort port, int size) => (port & 1) == 0 ? _command : _status;

    public void Write(ushort port, int size, uint value)
    {
        if ((port & 1) != 0)
        {
            _status = (byte)value;
            return;
        }

        _command = (byte)value;
        if (enabled())
        {
            raiseSmi();
        }
    }
}

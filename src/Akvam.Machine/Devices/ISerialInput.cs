namespace Akvam.Machine.Devices;

/// <summary>Where a serial port gets its characters from. The port pulls, so nothing is lost while the guest is not ready.</summary>
public interface ISerialInput
{
    /// <summary>Takes the next character, if there is one.</summary>
    bool TryTake(out byte value);

    /// <summary>Puts a character back in front, because the guest emptied its FIFO before reading it.</summary>
    void PutBack(byte value);
}

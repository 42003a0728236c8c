using System.Text;
using Akvam.Machine.Devices;

namespace Akvam.Tests.Machine;

public sealed class Uart16550Tests
{
    private const ushort Base = 0x3F8;

    private readonly SerialQueue _input = new();
    private readonly List<byte> _output = [];
    private readonly List<bool> _line = [];
    private readonly Uart16550 _uart;

    public Uart16550Tests() => _uart = new Uart16550(Base, _input, _output.Add, _line.Add);

    private byte In(int register) => (byte)_uart.Read((ushort)(Base + register), 1);

    private void Out(int register, byte value) => _uart.Write((ushort)(Base + register), 1, value);

    private void Type(string text)
    {
        foreach (byte b in Encoding.ASCII.GetBytes(text))
        {
            _input.Add(b, TestContext.Current.CancellationToken);
        }

        _uart.Poll();
    }

    /// <summary>What Linux' driver leaves behind: FIFO on, trigger level 8, RTS, DTR and OUT2, receive interrupt.</summary>
    private void OpenLikeLinux()
    {
        Out(2, 0x81);
        Out(4, 0x0B);
        Out(1, 0x05);
    }

    [Fact]
    public void DivisorLatchHidesDataAndInterruptEnable()
    {
        Out(1, 0x0F);
        Out(3, 0x83);
        Out(0, 0x34);
        Out(1, 0x12);
        Assert.Equal((0x34, 0x12), (In(0), In(1)));
        Out(3, 0x03);
        Assert.Equal(0x0F, In(1));
        Assert.Empty(_output);
    }

    [Fact]
    public void ScratchAndFifoIdentifyA16550A()
    {
        Out(7, 0xA5);
        Assert.Equal(0xA5, In(7));
        Assert.Equal(0x01, In(2));
        Out(2, 0x01);
        Assert.Equal(0xC1, In(2));
    }

    [Fact]
    public void TransmittedCharactersLeaveAtOnceInOrder()
    {
        foreach (byte b in "Hei"u8)
        {
            Out(0, b);
        }

        Assert.Equal("Hei", Encoding.ASCII.GetString([.. _output]));
        Assert.Equal(0x60, In(5));
    }

    [Fact]
    public void TransmitInterruptRisesOnEnableAndFallsWhenIdentified()
    {
        Out(4, 0x08);
        Out(1, 0x02);
        Assert.Equal([true], _line);
        Assert.Equal(0x02, In(2));
        Assert.Equal([true, false], _line);
        Assert.Equal(0x01, In(2));
        Out(0, (byte)'x');
        Assert.Equal([true, false, true], _line);
    }

    [Fact]
    public void Out2GatesTheInterrupt()
    {
        Out(1, 0x02);
        Assert.Empty(_line);
        Assert.Equal(0x02, In(2));
    }

    [Fact]
    public void ReceiveInterruptFollowsTheTriggerLevelAndTimesOutBelowIt()
    {
        OpenLikeLinux();
        Type("abc");
        Assert.Equal(0xCC, In(2));
        Type("defgh");
        Assert.Equal(0xC4, In(2));
        string read = "";
        while ((In(5) & 1) != 0)
        {
            read += (char)In(0);
        }

        Assert.Equal("abcdefgh", read);
        Assert.False(_line[^1]);
        Assert.Equal(0xC1, In(2));
    }

    [Fact]
    public void MoreInputThanTheFifoHoldsWaitsOutside()
    {
        OpenLikeLinux();
        string text = new('z', 15);
        Type("0123456789abcdefg" + text);
        Assert.Equal(16, _input.Count);
        Assert.Equal((byte)'0', In(0));
        Assert.Equal(15, _input.Count);
        Assert.Equal(0, In(5) & 2);
    }

    [Fact]
    public void NothingIsTakenBeforeTheGuestListens()
    {
        Type("early");
        Out(2, 0x07);
        _ = In(5);
        _ = In(0);
        OpenLikeLinux();
        Assert.Equal("early", ReadAll());
    }

    [Fact]
    public void AFifoResetReturnsWhatWasNotRead()
    {
        OpenLikeLinux();
        Type("kept");
        Assert.Equal((byte)'k', In(0));
        Out(1, 0x00);
        Out(2, 0x07);
        Assert.Equal(0, In(5) & 1);
        Assert.Equal(3, _input.Count);
        Out(1, 0x05);
        Assert.Equal("ept", ReadAll());
    }

    [Fact]
    public void WithdrawnRtsStopsTheInput()
    {
        OpenLikeLinux();
        Out(4, 0x09);
        Type("x");
        Assert.Equal(0, In(5) & 1);
        Out(4, 0x0B);
        Assert.Equal((byte)'x', In(0));
    }

    [Fact]
    public void APollingGuestGetsInputWithoutInterrupts()
    {
        Type("p");
        int polls = 0;
        while ((In(5) & 1) == 0)
        {
            Assert.True(++polls <= Uart16550.PollThreshold, "the guest polls in vain");
        }

        Assert.Equal((byte)'p', In(0));
    }

    [Fact]
    public void LoopbackReturnsDataAndModemLines()
    {
        Out(4, 0x1A);
        Out(0, 0x42);
        Assert.Equal(0x42, In(0));
        Assert.Empty(_output);
        Assert.Equal(0x90, In(6) & 0xF0);
    }

    [Fact]
    public void OverrunInLoopbackIsReportedOnce()
    {
        Out(4, 0x10);
        Out(0, 1);
        Out(0, 2);
        Assert.Equal(0x02, In(5) & 0x02);
        Assert.Equal(0x00, In(5) & 0x02);
    }

    private string ReadAll()
    {
        string read = "";
        while ((In(5) & 1) != 0)
        {
            read += (char)In(0);
        }

        return read;
    }
}

using System.Text;
using Akvam.Machine;
using Akvam.Machine.Devices;
using Akvam.Machine.Loading;

namespace Akvam.Tests.Machine;

/// <summary>Small real-mode guests on the whole board; each ends the machine in its own way.</summary>
public sealed class PcTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly SerialQueue _input = new();
    private readonly List<byte> _output = [];

    [Theory]
    [InlineData(0x10, 0x21)]
    [InlineData(0x00, 0x01)]
    public async Task ADebugExitEndsTheMachine(byte value, int code)
    {
        MachineEnd end = await Run([0xB0, value, 0xE6, 0xF4]);
        Assert.Equal((MachineEndKind.DebugExit, code), (end.Kind, end.Code));
    }

    [Fact]
    public async Task SerialOutputAndPowerOff()
    {
        // mov dx,3F8h; mov al,'A'; out dx,al; mov dx,604h; mov ax,2000h; out dx,ax
        MachineEnd end = await Run([0xBA, 0xF8, 0x03, 0xB0, 0x41, 0xEE, 0xBA, 0x04, 0x06, 0xB8, 0x00, 0x20, 0xEF]);
        Assert.Equal(MachineEndKind.PowerOff, end.Kind);
        Assert.Equal("A", Encoding.ASCII.GetString([.. _output]));
    }

    [Fact]
    public async Task ATripleFaultIsReportedWithItsState()
    {
        // lidt [10h] (zeros); int3
        MachineEnd end = await Run([0x0F, 0x01, 0x1E, 0x10, 0x00, 0xCC, 0xF4, .. new byte[25]]);
        Assert.Equal(MachineEndKind.Shutdown, end.Kind);
        Assert.Contains("real mode", end.Detail, StringComparison.Ordinal);
        Assert.Contains("rip 1000:0000000000000005", end.Detail, StringComparison.Ordinal);
        Assert.Contains("code cc f4", end.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheKeyboardControllerResets()
    {
        MachineEnd end = await Run([0xB0, 0xFE, 0xE6, 0x64, 0xF4, 0xEB, 0xFD]);
        Assert.Equal(MachineEndKind.Reset, end.Kind);
    }

    [Fact]
    public async Task TheVideoHoleFloats()
    {
        // mov ax,A000h; mov es,ax; mov al,es:[0]; out F4h,al
        MachineEnd end = await Run([0xB8, 0x00, 0xA0, 0x8E, 0xC0, 0x26, 0xA0, 0x00, 0x00, 0xE6, 0xF4]);
        Assert.Equal(0xFF, end.Code);
    }

    [Fact]
    public async Task SmramIsHiddenOnceItIsClosed()
    {
        byte[] guest =
        [
            0x66, 0xB8, 0x70, 0x00, 0x00, 0x80, 0xBA, 0xF8, 0x0C, 0x66, 0xEF,      // PCI address: 00:00.0, 70h
            0xBA, 0xFE, 0x0C, 0xB0, 0x4A, 0xEE,                                    // SMRAM: enabled and open
            0xB8, 0x00, 0xA0, 0x8E, 0xC0,                                          // es = A000h
            0x26, 0xC6, 0x06, 0x00, 0x00, 0x12,                                    // es:[0] = 12h
            0x26, 0x8A, 0x1E, 0x00, 0x00,                                          // bl = es:[0]
            0xB0, 0x0A, 0xEE,                                                      // SMRAM: closed
            0x26, 0x2A, 0x1E, 0x00, 0x00,                                          // bl -= es:[0], FFh
            0x88, 0xD8, 0xE6, 0xF4,                                                // 12h - FFh = 13h
        ];
        Assert.Equal((0x13 << 1) | 1, (await Run(guest)).Code);
    }

    [Fact]
    public async Task TheApmPortRaisesAnSmiOnceEnabled()
    {
        byte[] guest =
        [
            0xB8, 0x00, 0x38, 0x8E, 0xC0,                                          // es = 3800h
            0x26, 0xC7, 0x06, 0x00, 0x00, 0xB0, 0x2A,                              // 38000h: mov al,2Ah
            0x26, 0xC7, 0x06, 0x02, 0x00, 0xE6, 0xF4,                              // out F4h,al
            0xE6, 0xB2,                                                            // not enabled yet: nothing
            0x66, 0xB8, 0x58, 0x0B, 0x00, 0x80, 0xBA, 0xF8, 0x0C, 0x66, 0xEF,      // PCI address: 00:01.3, 58h
            0x66, 0xB8, 0x00, 0x00, 0x00, 0x02, 0xBA, 0xFC, 0x0C, 0x66, 0xEF,      // DEVACTB.APMC_EN
            0xE6, 0xB2,
            0xB0, 0x7F, 0xE6, 0xF4,
        ];
        Assert.Equal(0x55, (await Run(guest)).Code);
    }

    [Fact]
    public async Task SerialInputReachesAPollingGuest()
    {
        _input.Add((byte)'a', TestContext.Current.CancellationToken);
        // mov dx,3FDh; l: in al,dx; test al,1; jz l; mov dx,3F8h; in al,dx; inc al; out dx,al; mov al,0; out F4h,al
        await Run([0xBA, 0xFD, 0x03, 0xEC, 0xA8, 0x01, 0x74, 0xFB, 0xBA, 0xF8, 0x03, 0xEC, 0xFE, 0xC0, 0xEE, 0xB0, 0x00, 0xE6, 0xF4]);
        Assert.Equal("b", Encoding.ASCII.GetString([.. _output]));
    }

    [Fact]
    public async Task FirmwareStartsAtTheResetVector()
    {
        byte[] rom = new byte[64 << 10];
        // F000:FFF0: jmp F000:0000, which is the alias below 1 MiB; there: mov al,3; out F4h,al
        new byte[] { 0xEA, 0x00, 0x00, 0x00, 0xF0 }.CopyTo(rom, 0xFFF0);
        new byte[] { 0xB0, 0x03, 0xE6, 0xF4 }.CopyTo(rom, 0);
        Assert.Equal(7, (await Run(rom)).Code);
    }

    [Fact]
    public async Task AReportComesWhileAGuestSpinsWithInterruptsOff()
    {
        using var pc = NewPc();
        pc.Load(GuestImage.FromBytes("guest", [0xFA, 0xEB, 0xFE]), "");
        pc.Start();
        var report = new TaskCompletionSource<string>();
        pc.RequestReports(report.SetResult);
        string text = await report.Task.WaitAsync(s_limit, TestContext.Current.CancellationToken);
        Assert.Contains("real mode", text, StringComparison.Ordinal);
        Assert.Contains("last exits", text, StringComparison.Ordinal);
        Assert.Null(pc.Control.End);
        pc.Control.Finish(new MachineEnd(MachineEndKind.Quit, 0, "test"));
        Assert.Equal(MachineEndKind.Quit, pc.Wait().Kind);
    }

    private Pc NewPc() => new(new PcOptions { MemoryMegabytes = 4, SerialInput = _input, SerialOutput = _output.Add });

    private async Task<MachineEnd> Run(byte[] guest)
    {
        using Pc pc = NewPc();
        pc.Load(GuestImage.FromBytes("guest", guest), "");
        pc.Start();
        return await Task.Run(pc.Wait, TestContext.Current.CancellationToken).WaitAsync(s_limit, TestContext.Current.CancellationToken);
    }
}

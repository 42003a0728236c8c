using System.Diagnostics;
using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>
/// Several processors, devices and the timer thread at once: nothing is lost. Each test runs until enough has happened, which takes
/// milliseconds; one lost interrupt or wake stops it for good, and patience ends.
/// </summary>
public sealed class DeviceStressTests
{
    private const int Processors = 4;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void Every_processor_answers_every_IPI()
    {
        // A token goes round: each processor sends it on when it gets it. One lost request and it stops.
        using var machine = new Machine();
        machine.Run((lapic, vector) =>
        {
            if (vector == 0x40)
            {
                uint next = (lapic.InitialId + 1) % Processors;
                lapic.WriteXApic(LapicRegister.IcrHigh, next << 24);
                lapic.WriteXApic(LapicRegister.IcrLow, 0x4040);
            }
        }, kick: m => m.Bus.Send(new MsiMessage(0xFEE0_0000, 0, 0x40)), until: m => m.Taken(0x40) >= 500);
        Assert.True(machine.Taken(0x40) >= 500, $"the token stopped after {machine.Taken(0x40)} hops");
    }

    [Fact]
    public void Every_level_interrupt_is_ended_and_delivered_again()
    {
        // A device holds its line until it is served; the handler lowers it before EOI, and the device raises it again.
        using var machine = new Machine();
        machine.Redirect(20, 0x50 | (1 << 15) | (0xFFUL << 56) | (1 << 8));
        int raised = 1;
        machine.Run((_, vector) =>
        {
            if (vector == 0x50)
            {
                machine.Chip.Router.SetLine(20, IrqSource.User, level: false);
                Interlocked.Increment(ref raised);
                machine.Chip.Router.SetLine(20, IrqSource.User, level: true);
            }
        }, kick: m => m.Chip.Router.SetLine(20, IrqSource.User, level: true), until: m => m.Taken(0x50) >= 500);
        Assert.True(machine.Taken(0x50) >= 500, $"the line stuck after {machine.Taken(0x50)} interrupts");
        Assert.InRange(raised - machine.Taken(0x50), 0, 1);
    }

    [Fact]
    public void Local_timers_of_all_processors_keep_going()
    {
        using var machine = new Machine();
        machine.Run((lapic, vector) =>
        {
            if (vector == 0x60)
            {
                lapic.WriteXApic(LapicRegister.InitialCount, 50_000);
            }
        }, kick: m => m.ForEach(lapic =>
        {
            lapic.WriteXApic(LapicRegister.LvtTimer, 0x60);
            lapic.WriteXApic(LapicRegister.InitialCount, 50_000);
        }), until: m => m.All(lapic => m.Taken(0x60, lapic) >= 50));
        machine.ForEach(lapic => Assert.True(machine.Taken(0x60, lapic) >= 50, $"processor {lapic.InitialId}: {machine.Taken(0x60, lapic)} ticks"));
    }

    [Fact]
    public void Everything_at_once_loses_nothing()
    {
        using var machine = new Machine();
        machine.Redirect(21, 0x51 | (1 << 15) | (0xFFUL << 56) | (1 << 8));
        using IDisposable resampler = machine.Chip.Router.AddAckNotifier(21, () =>
        {
            machine.Chip.Router.SetLine(21, IrqSource.Resample, level: false);
            machine.Chip.Router.SetLine(21, IrqSource.Resample, level: true);
        });
        machine.Run((lapic, vector) =>
        {
            switch (vector)
            {
                case 0x40:
                    lapic.WriteXApic(LapicRegister.IcrHigh, ((lapic.InitialId + 1) % Processors) << 24);
                    lapic.WriteXApic(LapicRegister.IcrLow, 0x4040);
                    break;
                case 0x60:
                    lapic.WriteXApic(LapicRegister.InitialCount, 50_000);
                    break;
            }

            lapic.Cr8 = (byte)(vector & 3);
            lapic.Cr8 = 0;
        }, kick: m =>
        {
            m.ForEach(lapic =>
            {
                lapic.WriteXApic(LapicRegister.LvtTimer, 0x60);
                lapic.WriteXApic(LapicRegister.InitialCount, 50_000);
            });
            m.Bus.Send(new MsiMessage(0xFEE0_0000, 0, 0x40));
            m.Chip.Router.SetLine(21, IrqSource.Resample, level: true);
        }, until: m => m.Taken(0x40) >= 300 && m.Taken(0x51) >= 300 && m.All(lapic => m.Taken(0x60, lapic) >= 20));
        Assert.True(machine.Taken(0x40) >= 300, $"token: {machine.Taken(0x40)}");
        Assert.True(machine.Taken(0x51) >= 300, $"level: {machine.Taken(0x51)}");
        machine.ForEach(lapic => Assert.True(machine.Taken(0x60, lapic) >= 20, $"processor {lapic.InitialId}: {machine.Taken(0x60, lapic)} ticks"));
    }

    /// <summary>Processors that do nothing but take interrupts, sleeping in between.</summary>
    private sealed class Machine : IDisposable
    {
        private readonly MonotonicClock _clock = new();
        private readonly TimerQueue _timers;
        private readonly Processor[] _processors = new Processor[Processors];
        private volatile bool _stop;

        public Machine()
        {
            _timers = new TimerQueue(_clock);
            var tsc = new ManualTsc(_clock);
            for (int i = 0; i < Processors; i++)
            {
                _processors[i] = new Processor();
                var lapic = new Lapic((uint)i, i == 0, Bus, _processors[i], _clock, tsc, _timers);
                lapic.WriteXApic(LapicRegister.Svr, 0x1FF);
                _processors[i].Lapic = lapic;
            }

            Chip = new Irqchip(Bus);
        }

        public ApicBus Bus { get; } = new();

        public Irqchip Chip { get; }

        public void Redirect(int pin, ulong entry)
        {
            Chip.Ioapic.WriteRegister(0x00, (uint)(0x11 + (2 * pin)));
            Chip.Ioapic.WriteRegister(0x10, (uint)(entry >> 32));
            Chip.Ioapic.WriteRegister(0x00, (uint)(0x10 + (2 * pin)));
            Chip.Ioapic.WriteRegister(0x10, (uint)entry);
        }

        public void ForEach(Action<Lapic> action) => Array.ForEach(_processors, p => action(p.Lapic));

        public bool All(Predicate<Lapic> predicate) => Array.TrueForAll(_processors, p => predicate(p.Lapic));

        public int Taken(byte vector) => _processors.Sum(p => Volatile.Read(ref p.Taken[vector]));

        public int Taken(byte vector, Lapic lapic) => Volatile.Read(ref _processors[lapic.InitialId].Taken[vector]);

        public void Run(Action<Lapic, int> handler, Action<Machine> kick, Predicate<Machine> until)
        {
            kick(this);
            Thread[] threads = [.. _processors.Select(p => new Thread(() => Loop(p, handler)) { IsBackground = true })];
            Array.ForEach(threads, t => t.Start());
            for (var time = Stopwatch.StartNew(); !until(this) && time.Elapsed < s_patience;)
            {
                Thread.Sleep(1);
            }

            _stop = true;
            Array.ForEach(_processors, p => p.InterruptPending());
            Assert.All(threads, t => Assert.True(t.Join(TimeSpan.FromSeconds(10))));
        }

        public void Dispose()
        {
            _stop = true;
            Chip.Dispose();
            _timers.Dispose();
        }

        private void Loop(Processor processor, Action<Lapic, int> handler)
        {
            Lapic lapic = processor.Lapic;
            while (!_stop)
            {
                if (!lapic.HasInterrupt)
                {
                    processor.Sleep();
                    continue;
                }

                int vector = lapic.AcknowledgeInterrupt();
                Debug.Assert(vector > 0);
                processor.Taken[vector]++;
                handler(lapic, vector);
                lapic.WriteXApic(LapicRegister.Eoi, 0);
            }
        }
    }

    private sealed class Processor : ILapicHost
    {
        private readonly SemaphoreSlim _wake = new(0);

        public Lapic Lapic { get; set; } = null!;

        public int[] Taken { get; } = new int[256];

        /// <summary>Until the next wake.</summary>
        public void Sleep() => _wake.Wait(TestContext.Current.CancellationToken);

        public void InterruptPending() => _wake.Release();

        public void ExtInt() => _wake.Release();

        public void Nmi() => _wake.Release();

        public void Smi() => _wake.Release();

        public void Init() => _wake.Release();

        public void Sipi(byte vector) => _wake.Release();
    }
}

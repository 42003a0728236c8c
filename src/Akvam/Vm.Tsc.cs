namespace Akvam;

/// <content>Keeps the TSCs of the vCPUs together although clients set them one after the other, each a little later than the one before.</content>
public sealed partial class Vm
{
    private readonly Lock _tscGate = new();
    private ulong _tscOffset, _lastTsc, _lastTscCounter;
    private uint _lastTscKhz;

    /// <summary>What a new vCPU's TSC starts with: it runs along with the others if it can.</summary>
    internal ulong InitialTscOffset(uint khz)
    {
        lock (_tscGate)
        {
            return khz == _lastTscKhz ? _tscOffset : 0;
        }
    }

    /// <summary>
    /// The client sets a TSC. A value within a second of what the last one that was set has become since, or 0, is meant to be that one: all vCPUs set so have the same
    /// offset and are in step, which kvmclock needs. [KVM devices/vcpu.rst 4.1]
    /// </summary>
    /// <param name="value">What the client gave.</param>
    /// <param name="counter">The vCPU's counter now, without offset.</param>
    /// <param name="khz">Its frequency.</param>
    /// <returns>The offset that the vCPU gets.</returns>
    internal ulong SynchronizeTsc(ulong value, ulong counter, uint khz)
    {
        lock (_tscGate)
        {
            ulong second = khz * 1000ul;
            ulong expected = _lastTsc + (counter - _lastTscCounter);
            bool together = khz == _lastTscKhz && (value == 0 || (value < expected + second && value + second > expected));
            if (!together)
            {
                _tscOffset = value - counter;
            }

            (_lastTsc, _lastTscCounter, _lastTscKhz) = (value, counter, khz);
            return _tscOffset;
        }
    }

    /// <summary>The client sets an offset itself.</summary>
    internal void NoteTscOffset(ulong offset, ulong counter, uint khz)
    {
        lock (_tscGate)
        {
            (_tscOffset, _lastTsc, _lastTscCounter, _lastTscKhz) = (offset, offset + counter, counter, khz);
        }
    }
}

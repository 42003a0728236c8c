namespace Akvam.Devices;

/// <summary>Where the timer's channel 0 goes.</summary>
public interface ITickSink
{
    /// <summary>One timer interrupt. On the timer thread or a vCPU's, no lock held.</summary>
    void Tick();
}

namespace Akvam.Devices;

/// <summary>The INTR output of the 8259 pair.</summary>
public interface IIntrSink
{
    /// <summary>The output rose or fell. Called with the pair's lock held: set a bit, wake, do not call back.</summary>
    void IntrChanged(bool asserted);
}

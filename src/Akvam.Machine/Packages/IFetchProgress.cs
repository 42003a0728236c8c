namespace Akvam.Machine.Packages;

/// <summary>Hears how getting the guest's packages goes on.</summary>
public interface IFetchProgress
{
    /// <summary>A new step begins.</summary>
    void Step(string what);

    /// <summary>The current step is so many percent done.</summary>
    void Percent(double done);
}
